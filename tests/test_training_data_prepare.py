"""Preparing: whichever way up a picture lies, its face stands in the pack."""

import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from faceswap_cli.errors import UsageError
from faceswap_cli.training.core.options import PrepareOptions, TrainOptions
from faceswap_cli.training.data.pack import read_rows
from faceswap_cli.training.data.pictures import Draw, Seen, walk
from faceswap_cli.training.data.prepare import PrepareReport, in_words, packed, prepare


@pytest.mark.parametrize("turn", [1, 2])
def test_a_picture_that_lies_or_stands_on_its_head_is_packed_upright(data: Path, tmp_path: Path, turn: int) -> None:
    picture = cv2.imread(str(min((data / "faces" / "congress").glob("*/*.jpg"))))
    for name, each in (("upright", picture), ("turned", np.rot90(picture, turn))):
        (tmp_path / "in" / name).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / "in" / name / "1.png"), each)
    report = prepare(tmp_path / "in", tmp_path / "pack", PrepareOptions(threads=1, size=128))
    assert (report.kept, report.people) == (2, 2)
    one, other = (np.array(row.points) for row in read_rows(tmp_path / "pack"))
    np.testing.assert_allclose(one, other, atol=4)  # in both, the eyes are where the template has eyes


@pytest.fixture(scope="module")
def folder(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five pictures of three people, one of them no picture and one without a face; masks are no pictures."""
    root = tmp_path_factory.mktemp("pictures")
    faces = sorted((data / "faces" / "congress").glob("*/*.jpg"))[:3]
    for name, source in zip(("a/1.jpg", "a/2.jpg", "b/1.jpg"), faces, strict=True):
        (root / name).parent.mkdir(exist_ok=True)
        shutil.copy(source, root / name)
    (root / "b" / "0.png").write_bytes(b"not a picture")
    (root / "c" / "masks").mkdir(parents=True)
    cv2.imwrite(str(root / "c" / "1.png"), np.full((200, 200, 3), 90, np.uint8))
    cv2.imwrite(str(root / "c" / "masks" / "1.png"), np.zeros((200, 200, 3), np.uint8))
    return root


@pytest.fixture(scope="module")
def whole(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    pack = tmp_path_factory.mktemp("whole")
    report = prepare(folder, pack, PrepareOptions(threads=1, size=128))
    assert report.outcomes == {"kept": 3, "unreadable": 1, "no face": 1}
    assert (report.kept, report.people) == (3, 2)
    return pack


def content_of(pack: Path) -> dict[str, bytes]:
    return {name: (pack / name).read_bytes() for name in ("index.jsonl", "seen.jsonl", "crops-00000.bin")}


def test_a_pack_is_the_same_whatever_the_number_of_processes(
    folder: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("faceswap_cli.training.data.prepare.WORTH", 1)
    prepare(folder, tmp_path, PrepareOptions(threads=2, size=128))
    assert content_of(tmp_path) == content_of(whole)


@pytest.mark.parametrize("noted", [True, False])
def test_a_pack_that_was_cut_off_goes_on_to_be_the_same(folder: Path, whole: Path, tmp_path: Path, noted: bool) -> None:
    """Also where the last picture was kept, but not noted as seen."""

    def stop(done: int, total: int) -> None:
        assert total == 5
        if done == 2:
            raise KeyboardInterrupt

    told = PrepareOptions(threads=1, size=128)
    with pytest.raises(KeyboardInterrupt):
        prepare(folder, tmp_path, told, stop)
    lines = (tmp_path / "seen.jsonl").read_text().splitlines(keepends=True)
    assert len(lines) == 2
    if not noted:
        (tmp_path / "seen.jsonl").write_text(lines[0])
    counted: list[tuple[int, int]] = []
    prepare(folder, tmp_path, told, lambda done, total: counted.append((done, total)))
    assert counted == [(3, 5), (4, 5), (5, 5)]
    assert (tmp_path / "index.jsonl").read_bytes() == content_of(whole)["index.jsonl"]
    assert (tmp_path / "crops-00000.bin").read_bytes() == content_of(whole)["crops-00000.bin"]


def test_points_that_fit_no_face_are_dropped(data: Path, tmp_path: Path) -> None:
    """Two heads lie side by side in this picture, and are taken for one face."""
    shutil.copytree(data / "faces" / "lfw_grey" / "Yann_Martel", tmp_path / "in" / "Yann_Martel")
    report = prepare(tmp_path / "in", tmp_path / "pack", PrepareOptions(threads=1, min_face=20, min_sharpness=0))
    assert report.outcomes["points fit no face"] == 1


def test_several_workers_want_a_pack(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UsageError, match="faceswap prepare"):
        packed(folder, TrainOptions(data=(folder,), output=tmp_path / "run"))
    assert not list(tmp_path.iterdir())


def test_raw_folders_of_one_name_have_packs_of_their_own_and_say_what_is_in_them(folder: Path, tmp_path: Path) -> None:
    told: list[str] = []
    for place, person in (("first", "a"), ("second", "b")):
        shutil.copytree(folder / person, tmp_path / place / "train" / person)
    raw = tuple(tmp_path / place / "train" for place in ("first", "second"))
    options = TrainOptions(data=raw, output=tmp_path / "run", threads=1, watch=lambda each: told.append(each.found))
    packs = [packed(each, options) for each in raw]
    assert [{row.person for row in read_rows(pack)} for pack in packs] == [{"a"}, {"b"}]
    assert packed(raw[0], options) == packs[0]
    assert packs[0].parent == tmp_path
    assert [line for line in told if line][1] == f"{packs[1]} holds 1 faces of 1 people; dropped: 1 unreadable"
    assert packed(raw[0], replace(options, size=512)) != packs[0]  # crops of its own, none is enlarged


def test_what_was_dropped_is_said_with_the_reason() -> None:
    outcomes = {"kept": 8, "blurred": 2, "no face": 1}
    assert in_words(PrepareReport(8, 3, outcomes)) == "8 faces of 3 people; dropped: 2 blurred, 1 no face"
    assert in_words(PrepareReport(8, 3, {"kept": 8})) == "8 faces of 3 people"


def test_pictures_come_in_the_order_of_their_paths(tmp_path: Path) -> None:
    names = ["a.jpg", "a/2.JPG", "a/10.png", "a-b/1.webp", "b/c/1.tif", "b/c.bmp"]
    for name in [*names, "masks/1.png", "a/masks/1.png", "a/notes.txt"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert list(walk(tmp_path)) == sorted(tmp_path / name for name in names)


def test_of_many_pictures_some_of_each_person_are_taken_then_only_some_people() -> None:
    """1,000 people of 40: 8 of each are 8,000, so half of the people are enough for 4,000."""
    draw = Draw(40_000, 1000, 4000)
    taken = [(f"{who}/{picture}.jpg", str(who)) for who in range(1000) for picture in range(40)]
    by_person = Counter(person for name, person in taken if draw.takes(name, person))
    assert len(by_person) == pytest.approx(500, abs=60)
    assert sum(by_person.values()) == pytest.approx(4000, abs=500)


def test_people_with_few_pictures_are_taken_whole_and_all_where_there_are_not_too_many() -> None:
    draw = Draw(2000, 1000, 500)  # two of each: a quarter of the people
    taken = [[draw.takes(f"{who}/{picture}.jpg", str(who)) for picture in "ab"] for who in range(1000)]
    assert all(first == second for first, second in taken)
    assert sum(first for first, _ in taken) == pytest.approx(250, abs=45)
    for most in (None, 2000, 5000):
        assert all(Draw(2000, 1000, most).takes(f"{who}.jpg", str(who)) for who in range(1000))


def test_a_part_of_a_folder_is_prepared_and_the_same_part_when_it_goes_on(folder: Path, tmp_path: Path) -> None:
    told = PrepareOptions(threads=1, size=128, most=2)
    report = prepare(folder, tmp_path, told)
    looked = sum(report.outcomes.values())
    assert 0 < looked < 5
    assert prepare(folder, tmp_path, told) == report
    assert sum(prepare(folder, tmp_path, replace(told, most=5)).outcomes.values()) == 5
    with pytest.raises(UsageError, match="most is 0"):
        PrepareOptions(most=0)


def test_what_was_seen_is_known_by_its_name() -> None:
    names = [f"n{number:06d}/{number % 7}_01.jpg" for number in range(500)]
    seen = Seen(names[:250])
    assert [name for name in names if name in seen] == names[:250]
    assert len(seen) == 250 and "" not in Seen([])
