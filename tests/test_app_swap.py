"""What a program names as the source: photos, faces of photos, and what a broken run may go on with."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from faceswap_cli.app.source_photos import read_photos
from faceswap_cli.app.swap import into_clip, into_photo, recipe_of, run_of
from faceswap_cli.errors import MediaError
from faceswap_cli.media.segments import file_sha256
from faceswap_cli.options import Options
from faceswap_cli.shelf import Shelf
from faceswap_cli.stages.bundle import find_bundle


@pytest.fixture
def me(tmp_path: Path, portrait: Path) -> Path:
    return Path(shutil.copy(portrait, tmp_path / "me.jpg"))


def test_a_number_behind_a_photo_chooses_one_of_its_faces(me: Path) -> None:
    (photo,) = read_photos([me.with_name("me.jpg#2")])
    assert (photo.name, photo.face) == ("me.jpg", 2)
    assert [each.face for each in read_photos([me, me.with_name("me.jpg#1")])] == [None, 1]


def test_a_file_that_has_such_a_name_is_itself_meant(me: Path) -> None:
    own = Path(shutil.copy(me, me.with_name("me.jpg#2")))
    (photo,) = read_photos([own])
    assert (photo.name, photo.face) == ("me.jpg#2", None)


@pytest.mark.parametrize("name", ["gone.jpg#2", "me.jpg#", "me.jpg#two", "me.jpg#-1", "#2"])
def test_what_is_neither_is_a_file_that_is_missing(me: Path, name: str) -> None:
    with pytest.raises(MediaError, match="does not exist"):
        read_photos([me.with_name(name)])


def test_photos_of_one_name_are_told_apart_by_their_folders(me: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = Path(shutil.copy(me, tmp_path / "other" / "me.jpg"))
    assert [photo.name for photo in read_photos([me, other])] == [str(me), str(other)]


def test_a_run_of_another_face_of_the_photo_is_another_run(me: Path, tinting_generator: Path, whole_pack: Path) -> None:
    options = Options(model=str(tinting_generator), face_pack=whole_pack)
    bundle = find_bundle(options)
    first, second, again = (recipe_of({None: [me.with_name(f"me.jpg#{face}")]}, bundle, options) for face in (1, 2, 1))
    assert first == again != second


class CountingShelf(Shelf):
    """Notes what had to be made."""

    def __init__(self) -> None:
        super().__init__()
        self.made: list[str] = []

    def take(self, key: Any, make: Callable[[], Any]) -> Any:
        return super().take(key, lambda: (self.made.append(key[0]), make())[1])


@pytest.fixture
def small(tinting_generator: Path, whole_pack: Path) -> Options:
    return Options(model=str(tinting_generator), face_pack=whole_pack, device="cpu", threads=1)


def test_a_second_swap_opens_nothing_again_and_gives_the_same_bytes(
    tmp_path: Path, me: Path, short_clip: Path, small: Options
) -> None:
    shelf, outputs = CountingShelf(), [tmp_path / "one.mp4", tmp_path / "two.mp4", tmp_path / "alone.mp4"]
    made = []
    for output, kept in zip(outputs, (shelf, shelf, CountingShelf()), strict=True):
        into_clip(run_of(me, short_clip, small), output, None, kept)
        made.append(len(kept.made))
    assert made[0] == made[1] == made[2] > 0
    assert len({file_sha256(output) for output in outputs}) == 1


def test_another_source_opens_no_network_again(tmp_path: Path, me: Path, small: Options) -> None:
    shelf, other = CountingShelf(), Path(shutil.copy(me, tmp_path / "other.jpg"))
    into_photo(run_of(me, me, small), tmp_path / "one.jpg", None, shelf)
    shelf.made.clear()
    into_photo(run_of(other, me, small), tmp_path / "two.jpg", None, shelf)
    assert shelf.made == ["photos", "source"]


def test_a_photo_that_changes_on_disk_is_read_anew(tmp_path: Path, me: Path, small: Options) -> None:
    shelf, target = CountingShelf(), Path(shutil.copy(me, tmp_path / "party.jpg"))
    into_photo(run_of(me, target, small), tmp_path / "one.jpg", None, shelf)
    me.write_bytes(me.read_bytes() + b"\0")
    shelf.made.clear()
    into_photo(run_of(me, target, small), tmp_path / "two.jpg", None, shelf)
    assert shelf.made == ["photos", "source"]
