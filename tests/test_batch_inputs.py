"""What a person names is found, each file once; what names nothing is said."""

from pathlib import Path

import pytest

from faceswap_cli.batch.inputs import find_inputs
from faceswap_cli.errors import MediaError, UsageError


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    for name in ("b.mp4", "a.JPG", "notes.txt", "sub/c.ts", "sub/deep/d.webp", ".hidden/e.mp4", ".f.mp4", "out/g.mp4"):
        path = tmp_path / "clips" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "clips"


def names(words: list[str], *leave_out: Path) -> list[str]:
    return [each.path.name for each in find_inputs(words, leave_out)[0]]


def test_folders_are_gone_through_to_their_ends_without_what_is_hidden(clips: Path) -> None:
    assert names([str(clips)]) == ["a.JPG", "b.mp4", "g.mp4", "c.ts", "d.webp"]
    assert [each.folder.as_posix() for each in find_inputs([str(clips)])[0]] == [".", ".", "out", "sub", "sub/deep"]


def test_the_folder_of_results_is_passed_over_but_not_when_it_is_named(clips: Path) -> None:
    assert "g.mp4" not in names([str(clips)], clips / "out")
    assert names([str(clips / "out")], clips / "out") == ["g.mp4"]


def test_globs_name_files_and_folders(clips: Path) -> None:
    assert names([f"{clips}/*.mp4"]) == ["b.mp4"]
    assert names([f"{clips}/s*"]) == ["c.ts", "d.webp"]
    assert names([f"{clips}/**/*.webp"]) == ["d.webp"]


def test_a_file_with_the_letters_of_a_glob_is_itself_meant(clips: Path) -> None:
    (clips / "take[1].mp4").touch()
    assert names([f"{clips}/take[1].mp4"]) == ["take[1].mp4"]


def test_a_file_named_twice_is_found_once(clips: Path) -> None:
    (clips / "link.mp4").symlink_to("b.mp4")
    assert names([str(clips / "b.mp4"), f"{clips}/*.mp4", str(clips / "link.mp4")]) == ["b.mp4"]


def test_what_is_named_but_no_photo_or_clip_is_told(clips: Path) -> None:
    found, notes = find_inputs([str(clips / "notes.txt"), str(clips / "b.mp4")])
    assert len(found) == 1
    assert notes == [f"left out: {clips}/notes.txt is no photo or clip by its name"]


def test_numbered_pictures_are_one_clip(clips: Path) -> None:
    assert names([f"{clips}/%05d.png"]) == ["%05d.png"]


def test_what_names_nothing_is_refused(clips: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for word, error, told in (
        (str(tmp_path / "empty"), UsageError, "holds no photo or clip"),
        (f"{clips}/*.avi", UsageError, "matches nothing"),
        (str(clips / "gone.mp4"), MediaError, "does not exist"),
        (str(clips / "notes.txt"), UsageError, "nothing to swap"),
    ):
        with pytest.raises(error, match=told):
            find_inputs([word])
