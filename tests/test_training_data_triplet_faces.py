"""Whose faces triplets are made of: who is in which group, what is drawn, and how little of it lies in memory."""

import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs the [train] extra")

from faceswap_cli.errors import UsageError
from faceswap_cli.evaluation.splits import part_of
from faceswap_cli.training.data.pack import INDEX, PackWriter
from faceswap_cli.training.data.packs import Packs
from faceswap_cli.training.data.triplet_data import TripletData
from faceswap_cli.training.data.triplet_faces import Face, Group, grouped
from faceswap_cli.training.data.triplet_pack import ROWS, Triplet, TripletPack, TripletReader

NAMES = {part: [name for name in map(str, range(200)) if part_of(name) == part] for part in ("training", "tuning")}
REPORTED = next(name for name in map(str, range(200)) if part_of(name) == "reporting")


def pack_of(folder: Path, rows: list[tuple[str, float, bool]]) -> Path:
    """A pack of tiny crops: of whom each is, how far it was enlarged, and whether it is grey."""
    with PackWriter(folder) as writer:
        for number, (person, scale, grey) in enumerate(rows):
            about = {"source": f"{number}.jpg", "person": person, "scale": scale, "grey": grey}
            writer.add(np.full((8, 8, 3), number, np.uint8), None, about | {"points": [[number, 0.0]] * 5})
    return folder


def drawn(draw: Callable[[np.random.Generator], Face]) -> list[int]:
    """The numbers of 400 faces that are drawn."""
    chance = np.random.default_rng(0)
    return [draw(chance).number for _ in range(400)]


@pytest.fixture(scope="module")
def groups(tmp_path_factory: pytest.TempPathFactory) -> tuple[Group, Group]:
    """Two packs with one person in both; of each part two people, of those who are reported one."""
    folder = tmp_path_factory.mktemp("packs")
    (a, b), (c, d) = NAMES["training"][:2], NAMES["tuning"][:2]
    first = pack_of(folder / "1", [(b, 1.2, False), (a, 1.2001, False), (REPORTED, 1.0, False), (c, 1.0, False)])
    return grouped((first, pack_of(folder / "2", [(a, 1.0, True), (b, 1.0, False), (d, 3.0, False)])))


def test_people_are_split_by_name_and_those_who_are_reported_are_in_neither(groups: tuple[Group, Group]) -> None:
    training, tuning = (set(drawn(group.draw_any)) for group in groups)
    assert (training, tuning) == ({0, 1, 4, 5}, {3, 6})


def test_the_photos_of_a_person_come_from_all_packs_in_order(groups: tuple[Group, Group]) -> None:
    for name, numbers in ((NAMES["training"][0], [1, 4]), (NAMES["training"][1], [0, 5])):
        photos = groups[0].photos(name)
        assert [face.number for face in photos] == numbers
        assert {face.row.person for face in photos} == {name}
    assert [face.folder.name for face in groups[0].photos(NAMES["training"][1])] == ["1", "2"]
    assert [face.row.points[0][0] for face in groups[0].photos(NAMES["training"][1])] == [0, 1]


def test_answers_are_in_colour_and_three_in_four_of_them_sharp(groups: tuple[Group, Group]) -> None:
    answers = drawn(groups[0].draw_answer)
    assert set(answers) == {0, 1, 5}  # 4 is grey
    assert answers.count(1) == pytest.approx(100, abs=30)  # enlarged by more than 1.2, the only soft one


def test_two_people_in_colour_are_needed(tmp_path: Path) -> None:
    a, b = NAMES["training"][:2]
    for number, rows in enumerate(([(a, 1.0, False)] * 2, [(a, 1.0, True), (b, 1.0, True)])):
        folder = pack_of(tmp_path / str(number), rows)
        with pytest.raises(UsageError, match=f"2 faces in {folder}: triplets need two people in colour"):
            grouped((folder,))


def held_by(make: Callable[[], Any]) -> float:
    """How many bytes something holds when it is made."""
    tracemalloc.start()
    kept = make()
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept is not None
    return held


def test_of_a_row_of_a_pack_few_bytes_lie_in_memory(tmp_path: Path) -> None:
    folder = pack_of(tmp_path, [(name, 1.0, False) for name in NAMES["training"][:2]])
    lines = (folder / INDEX).read_text()
    for rows in (2, 20_000):
        (folder / INDEX).write_text(lines * (rows // 2))
        Packs((folder,))  # the table is made once
        held = held_by(lambda: grouped((folder,)))
        assert held < 40_000 + 40 * rows


def triplet(held_out: bool, answered: bool) -> Triplet:
    side = np.zeros((8, 8, 3), np.uint8)
    return Triplet(
        target=side, warped=np.zeros((8, 8, 4), np.uint8), answer=side if answered else None,
        mask=side[..., 0], identity=np.ones(128, np.float32) / 128**0.5,
        faces=np.zeros((112, 224, 3), np.uint8), person="a", held_out=held_out,
    )  # fmt: skip


def test_of_a_triplet_few_bytes_lie_in_memory(tmp_path: Path) -> None:
    with TripletPack(tmp_path) as pack:
        pack.add(0, triplet(False, True))
    line = (tmp_path / ROWS).read_text()
    assert len(line) > 1000  # an identity alone is that long
    (tmp_path / ROWS).write_text(line * 5000)
    assert held_by(lambda: TripletReader(tmp_path)) < 20_000 + 15 * 5000
    reader = TripletReader(tmp_path)
    assert len(reader) == 5000
    assert np.array_equal(reader.read(4999).identity, reader.read(0).identity)


def test_what_was_made_is_known_and_counted_again_when_a_pack_is_opened(tmp_path: Path) -> None:
    for _ in range(2):
        with TripletPack(tmp_path) as pack:
            for number, made in ((4, triplet(False, False)), (1, "colours went wild"), (0, triplet(False, True))):
                if number not in pack:
                    pack.add(number, made)
            assert [number in pack for number in range(6)] == [True, True, False, False, True, False]
            assert pack.outcomes() == {"pairs": 1, "colours went wild": 1, "triplets": 1}
    numbers = [json.loads(line)["number"] for line in (tmp_path / ROWS).read_text().splitlines()]
    assert numbers == [4, 1, 0]
    reader = TripletReader(tmp_path)
    assert [reader.line(row)["number"] for row in range(len(reader))] == [4, 0]
    assert reader.answered.tolist() == [False, True]


def test_where_nobody_held_out_has_rows_of_a_kind_the_trainings_own_are_measured_on(tmp_path: Path) -> None:
    with TripletPack(tmp_path) as pack:
        pack.add(0, triplet(False, False))
        pack.add(1, triplet(True, True))
    data = TripletData((tmp_path,), 8, seed=0)
    known, unknown = data.unseen(True, 4), data.unseen(False, 4)
    assert known is not None and unknown is not None
    assert (known.answered.tolist(), unknown.answered.tolist()) == ([True], [False])
    with TripletPack(tmp_path / "answered") as pack:
        pack.add(0, triplet(False, True))
    assert TripletData((tmp_path / "answered",), 8, seed=0).unseen(False, 4) is None
