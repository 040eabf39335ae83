"""people.json: what is written is read again, for its own input alone, and a hole in it is named."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faceswap_cli.errors import UsageError
from faceswap_cli.media.fingerprint import DIGESTED_BYTES, fingerprint_of
from faceswap_cli.media.people_file import FILE, People, Person, Sighting, read_people, write_people


def person(name: str, x: float, embedding: tuple[float, ...] = (0.6, 0.8)) -> Person:
    """Somebody who goes 10 pixels to the right in a second, from `x` on."""
    path = np.array([[0, x, 20, x + 40, 60], [1, x + 10, 20, x + 50, 60]], np.float64)
    return Person(name, np.array(embedding, np.float32), (Sighting(path, 26, (5.0, -2.5, 0.0)),))


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    (tmp_path / "clip.mp4").write_bytes(b"pictures")
    return tmp_path / "clip.mp4"


@pytest.fixture
def folder(clip: Path) -> Path:
    people = People((person("p1", 0), person("p2", 100)), "ours", fingerprint_of(clip))
    write_people(clip.parent, people, clip, ["p1.jpg", "p2.jpg"])
    return clip.parent


def test_people_are_read_as_they_were_written(folder: Path, clip: Path) -> None:
    people = read_people(folder, clip)
    assert [each.name for each in people.persons] == ["p1", "p2"]
    assert people.space == "ours"
    np.testing.assert_allclose(people.persons[1].embedding, [0.6, 0.8], atol=1e-6)
    (sighting,) = people.persons[1].sightings
    assert sighting.path.tolist() == [[0, 100, 20, 140, 60], [1, 110, 20, 150, 60]]
    assert (sighting.frames, sighting.pose, sighting.size) == (26, (5.0, -2.5, 0.0), 40)
    assert read_people(folder / FILE, clip).fingerprint == people.fingerprint


def test_each_row_of_numbers_is_on_one_line(folder: Path) -> None:
    lines = [line.strip() for line in (folder / FILE).read_text().splitlines()]
    assert "[0.0, 0.0, 20.0, 40.0, 60.0]," in lines
    assert '"embedding": [0.6, 0.8]' in lines


def test_a_face_is_whose_it_lies_on_at_that_moment() -> None:
    """Half-way p1 is at 5..45: a box at 25..65 shares 20 of 60 columns (IoU 0.33), one at 21..61 24 of 56 (0.43)."""
    people = People((person("p1", 0), person("p2", 100)), "ours", "")
    assert people.whose(0.5, np.array([105, 20, 145, 60])) == 1
    assert people.whose(0.5, np.array([21, 20, 61, 60])) == 0
    assert people.whose(0.5, np.array([25, 20, 65, 60])) is None
    assert people.whose(1.04, np.array([10, 20, 50, 60])) == 0
    assert people.whose(1.1, np.array([10, 20, 50, 60])) is None


def test_people_of_another_input_are_refused(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.mp4"
    other.write_bytes(b"picturez")
    with pytest.raises(UsageError, match=r"people of another input \(clip\.mp4\), not of other\.mp4"):
        read_people(folder, other)


def test_a_renamed_copy_is_the_same_input(folder: Path, clip: Path, tmp_path: Path) -> None:
    assert read_people(folder, clip.rename(tmp_path / "renamed.mp4")).persons


@pytest.mark.parametrize("place", [0, -1])
def test_an_input_is_told_by_either_end(tmp_path: Path, place: int) -> None:
    content = bytearray(3 * DIGESTED_BYTES)
    (tmp_path / "a").write_bytes(content)
    content[place] = 1
    (tmp_path / "b").write_bytes(content)
    assert fingerprint_of(tmp_path / "a") != fingerprint_of(tmp_path / "b")


def without(key: str) -> Callable[[dict[str, Any]], None]:
    return lambda record: record["people"][0].pop(key)


def put(key: str, value: object) -> Callable[[dict[str, Any]], None]:
    return lambda record: record["people"][0].update({key: value})


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (without("embedding"), "lacks 'embedding'"),
        (without("tracks"), "lacks 'tracks'"),
        (lambda record: record.pop("fingerprint"), "lacks 'fingerprint'"),
        (lambda record: record.update(people=[]), "it names nobody"),
        (lambda record: record.update(people=None), "damaged"),
        (lambda record: record["people"].append(None), "damaged"),
        (lambda record: record.update(version=9), "version 9, 1 is read here"),
        (lambda record: record.update(format="list"), "no list of people"),
        (put("tracks", []), "p1 has no tracks"),
        (put("embedding", [0.6, 0.6]), "p1's embedding is no vector of length 1"),
        (put("embedding", [0, 0.6, 0.8]), "differ in length"),
        (put("embedding", ["x"]), "damaged"),
        (put("name", "p2"), "'p2' is there twice"),
        (put("name", "3"), "'3' is no name"),
        (put("name", "left"), "'left' is no name"),
        (put("name", "a=b"), "'a=b' is no name"),
        (put("name", None), "None is no name"),
        (put("tracks", [{"frames": 1, "path": [[0, 1, 2, 3]]}]), "no list of"),
        (put("tracks", [{"frames": 1, "path": [[0, 1, 2, 3, 4], [0, 1, 2, 3, 4]]}]), "goes back in time"),
        (put("tracks", [{"frames": 1, "path": [[0, 5, 2, 3, 4]]}]), "box without inside"),
        (put("tracks", [{"frames": 1, "path": [[0, float("nan"), 2, 3, 4]]}]), "no list of"),
        (put("tracks", [{"path": [[0, 1, 2, 3, 4]]}]), "lacks 'frames'"),
    ],
)
def test_a_hole_in_the_file_is_named(
    folder: Path, clip: Path, edit: Callable[[dict[str, Any]], None], told: str
) -> None:
    record = json.loads((folder / FILE).read_text())
    edit(record)
    (folder / FILE).write_text(json.dumps(record))
    with pytest.raises(UsageError, match=re.escape(told)):
        read_people(folder, clip)


@pytest.mark.parametrize("content", ["", "{", "[]", "[" * 5000])
def test_what_is_no_list_of_people_is_refused(clip: Path, content: str) -> None:
    (clip.parent / FILE).write_text(content)
    with pytest.raises(UsageError, match=FILE):
        read_people(clip.parent, clip)


def test_a_folder_without_people_is_told_how_to_fill(clip: Path) -> None:
    with pytest.raises(UsageError, match=r"no people in .*: make them with `faceswap faces INPUT --output"):
        read_people(clip.parent, clip)


def test_somebody_unknown_is_refused_with_the_names_there_are() -> None:
    people = People((person("p1", 0), person("ben", 100)), "ours", "")
    assert people.number_of("ben") == 1
    with pytest.raises(UsageError, match="nobody is called 'p3' there: choose one of p1, ben"):
        people.number_of("p3")
