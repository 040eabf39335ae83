"""A pack's index as a table: it says what the index says, grows with it, and tells a row from any other."""

from pathlib import Path

import numpy as np
import pytest

from faceswap_cli.errors import UsageError
from faceswap_cli.training.data import table
from faceswap_cli.training.data.pack import INDEX, PackWriter, read_crop, read_rows
from faceswap_cli.training.data.table import PEOPLE, ROWS, open_table

PEOPLE_IN_ORDER = ("b", "a", "b", "c", "a")


def pack(folder: Path, people: tuple[str, ...] = PEOPLE_IN_ORDER) -> Path:
    """Crops of one grey each, 10 levels apart."""
    with PackWriter(folder) as writer:
        for number, person in enumerate(people):
            points = (np.arange(10).reshape(5, 2) + number / 4).tolist()
            about = {"source": f"{person}/{number}.jpg", "person": person, "points": points, "scale": 0.5 + number}
            label = np.full((64, 64), number % 19, np.uint8) if number % 2 else None
            writer.add(np.full((64, 64, 3), 10 * number % 250, np.uint8), label, about | {"grey": number == 2})
    return folder


def test_a_table_says_what_the_index_says(tmp_path: Path) -> None:
    made = open_table(pack(tmp_path))
    assert len(made) == 5
    for number, row in enumerate(read_rows(tmp_path)):
        found = made.row(number)
        for name in ("person", "shard", "offset", "length", "points", "scale", "grey", "size", "label_offset"):
            assert getattr(found, name) == getattr(row, name), name
        assert read_crop(tmp_path, found).mean() == pytest.approx(10 * number, abs=1)
    assert made.rows["size"].tolist() == [64] * 5


def test_crops_of_packs_that_do_not_say_their_size_are_looked_at(tmp_path: Path) -> None:
    pack(tmp_path)
    index = tmp_path / INDEX
    index.write_text(index.read_text().replace(', "size": 64', ""))
    assert open_table(tmp_path).rows["size"].tolist() == [64] * 5


def test_a_table_is_made_once_and_anew_where_the_pack_has_grown(tmp_path: Path) -> None:
    first = open_table(pack(tmp_path))
    made = (tmp_path / ROWS).stat().st_mtime_ns
    assert open_table(tmp_path).people == first.people
    assert (tmp_path / ROWS).stat().st_mtime_ns == made
    pack(tmp_path, ("d",))
    grown = open_table(tmp_path)
    assert (len(grown), grown.people) == (6, ["b", "a", "c", "d"])
    assert np.array_equal(grown.marks(slice(0, 5)), first.marks(slice(0, 5)))
    assert not list(tmp_path.glob("*.bin.*")) and not list(tmp_path.glob(f"{PEOPLE}.*"))


def test_rows_are_made_in_parts_of_any_length(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = open_table(pack(tmp_path / "whole")).rows.tobytes()
    for at_once in (1, 2, 5):
        monkeypatch.setattr(table, "AT_ONCE", at_once)
        assert open_table(pack(tmp_path / str(at_once))).rows.tobytes() == whole


def test_a_row_that_was_cut_off_is_left_out(tmp_path: Path) -> None:
    index = pack(tmp_path) / INDEX
    index.write_text(index.read_text()[:-30])
    assert len(open_table(tmp_path)) == 4


def test_a_row_is_marked_by_its_picture_and_points_not_by_the_number_of_its_person(tmp_path: Path) -> None:
    one, other = open_table(pack(tmp_path / "one")), open_table(pack(tmp_path / "other", ("z", "y", "x", "w", "v")))
    marks = one.marks(slice(None))
    assert len(set(marks.tolist())) == 5 and marks.all()
    assert np.array_equal(other.marks(slice(None)), marks)
    moved = one.rows.copy()
    moved["points"][3, 4, 1] += 0.25
    changed = table.Table(tmp_path, moved, one.people).marks(slice(None)) != marks
    assert changed.tolist() == [False, False, False, True, False]


def test_a_folder_that_is_no_pack_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="faceswap prepare"):
        open_table(tmp_path)
