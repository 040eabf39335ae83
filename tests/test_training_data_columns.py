"""Columns of a pack: what is filled stays, what is not is named, and work that was cut off goes on."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from faceswap_cli.errors import MediaError
from faceswap_cli.training.data import columns
from faceswap_cli.training.data.columns import Columns, Layout, rows_of
from faceswap_cli.training.data.table import open_table

from .test_training_data_table import pack

LAYOUT = Layout({"place": (2,), "share": ()}, ("mask", "look"))


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "CHUNK", 2)


def opened(folder: Path) -> Columns:
    there = (folder / "pack" / "index.jsonl").exists()
    known = folder / "pack" if there else pack(folder / "pack", ("a", "b", "c", "d", "e"))
    return Columns(folder / "columns", open_table(known), LAYOUT)


def fill(filled: Columns, chunk: int) -> None:
    rows = np.arange(len(filled))[rows_of(chunk)]
    pictures = {"mask": [b"m" * (row + 1) for row in rows], "look": [b"look %d" % row for row in rows]}
    filled.fill(chunk, ({"place": np.stack([rows, -rows], 1), "share": rows / 10}, pictures))


def test_what_is_filled_in_any_order_is_there_when_opened_anew(tmp_path: Path) -> None:
    first = opened(tmp_path)
    assert first.missing() == [0, 1, 2]
    for chunk in (2, 0):
        fill(first, chunk)
    again = opened(tmp_path)
    assert again.missing() == [1]
    fill(again, 1)
    found = opened(tmp_path)
    assert found.missing() == []
    assert found.array("place").tolist() == [[row, -row] for row in range(5)]
    np.testing.assert_allclose(found.array("share"), np.arange(5) / 10, rtol=1e-6)
    assert [found.picture("mask", row) for row in range(5)] == [b"m" * (row + 1) for row in range(5)]
    assert [found.picture("look", row) for row in range(5)] == [b"look %d" % row for row in range(5)]


def test_a_chunk_counts_only_once_all_of_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled = opened(tmp_path)
    with monkeypatch.context() as cut_off, pytest.raises(KeyboardInterrupt):
        cut_off.setattr(columns, "_flush", lambda column: (_ for _ in ()).throw(KeyboardInterrupt))
        fill(filled, 0)
    assert opened(tmp_path).missing() == [0, 1, 2]
    fill(filled, 0)
    assert opened(tmp_path).missing() == [1, 2]


def test_rows_that_a_pack_has_gained_are_missing_and_the_others_stay(tmp_path: Path) -> None:
    filled = opened(tmp_path)
    for chunk in range(3):
        fill(filled, chunk)
    pack(tmp_path / "pack", ("f", "g"))
    grown = opened(tmp_path)
    assert (len(grown), grown.missing()) == (7, [2, 3])  # the sixth row lies in the chunk of the fifth
    assert grown.array("place")[:5].tolist() == [[row, -row] for row in range(5)]


def test_rows_of_another_picture_are_made_anew(tmp_path: Path) -> None:
    filled = opened(tmp_path)
    for chunk in range(3):
        fill(filled, chunk)
    index = tmp_path / "pack" / "index.jsonl"
    lines = index.read_text().splitlines(keepends=True)
    index.write_text("".join([*lines[:3], lines[3].replace("3.5", "3.75", 1), lines[4]]))
    assert opened(tmp_path).missing() == [1]


def test_another_process_maps_the_files_and_is_sent_none_of_them(tmp_path: Path) -> None:
    filled = opened(tmp_path)
    fill(filled, 0)
    sent = pickle.dumps(filled)
    assert len(sent) < 1000
    assert pickle.loads(sent).array("place")[1].tolist() == [1, -1]


def test_a_picture_that_is_gone_is_named(tmp_path: Path) -> None:
    filled = opened(tmp_path)
    fill(filled, 0)
    (tmp_path / "columns" / "pictures-000000.bin").unlink()
    with pytest.raises(MediaError, match="pictures-000000"):
        filled.picture("mask", 0)
