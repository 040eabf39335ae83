"""A pack's index as a table on disk: rows are mapped into memory, so that a pack of any size opens at once.

`index.jsonl` stays what `prepare` writes and people read; `rows.bin` and `people.json` are made of it in one pass, and
anew where it has grown. Why not a library: webdataset reads tar files in turn and shuffles in a buffer, so a pair of
one person's pictures cannot be drawn without scanning, nor a run resumed exactly; mosaicml-streaming and litdata give
any row and resume their own epochs, but have no sampler by person and no columns that are filled later, bring the
clients of several clouds, and the first one's last release (0.13) wants numpy < 2.2; `datasets` maps Arrow tables, yet
adds a column in one pass that begins anew after a crash. What is left for them to do is a seek.
"""

import json
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ...errors import UsageError
from .pack import INDEX, Row, is_pack, read_crop

ROWS, PEOPLE = "rows.bin", "people.json"
ROW = np.dtype(
    [
        ("shard", "<u4"), ("length", "<u4"), ("offset", "<u8"), ("label_offset", "<i8"), ("label_length", "<u4"),
        ("size", "<u4"), ("points", "<f4", (5, 2)), ("scale", "<f4"), ("person", "<u4"), ("grey", "?"),
    ]
)  # fmt: skip
AT_ONCE = 4096  # rows made of the index at a time
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio: spreads what differs in any bit


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """The rows of one pack."""

    folder: Path
    rows: np.ndarray  # (N,) of ROW, mapped
    people: list[str]  # names, by their numbers in `rows`

    def __len__(self) -> int:
        return len(self.rows)

    def __reduce__(self) -> tuple[Any, ...]:
        return open_table, (self.folder,)  # another process maps the file by itself

    def row(self, number: int) -> Row:
        """Return one row as `pack` reads it, without the picture's path."""
        found = self.rows[number]
        fields = {name: found[name].item() for name in ROW.names or () if name not in ("points", "person")}
        return Row(source="", person=self.people[found["person"]], points=found["points"].tolist(), **fields)

    def marks(self, rows: slice) -> np.ndarray:
        """Return a number (K,) uint64 for each row, never 0, that tells its picture and points from any others."""
        part = np.array(self.rows[rows])
        part["person"] = 0  # numbered anew when the table is
        words = part.view(np.uint8).reshape(len(part), ROW.itemsize)
        words = np.pad(words, ((0, 0), (0, -ROW.itemsize % 8))).view("<u8")
        found = np.full(len(part), 1, np.uint64)
        for column in words.T:
            found = (found ^ column) * _MULTIPLIER
            found ^= found >> np.uint64(29)
        return found | np.uint64(1)


def open_table(folder: Path) -> Table:
    """Return the table of a pack, made of its index where there is none or the index has changed.

    Raises UsageError for a folder that is no pack.
    """
    if not is_pack(folder):
        raise UsageError(f"{folder} is not a prepared pack (no {INDEX}): make one with `faceswap prepare`")
    made_of = _seal(folder / INDEX)
    kept = _read_people(folder / PEOPLE)
    if kept.get("made_of") != made_of:
        kept = {"made_of": made_of, "people": _make(folder)}
        _write(folder / PEOPLE, json.dumps(kept, ensure_ascii=False).encode())
    path = folder / ROWS
    rows = np.memmap(path, ROW, "r") if path.stat().st_size else np.empty(0, ROW)
    return Table(folder, rows, kept["people"])


def _make(folder: Path) -> list[str]:
    """Write the rows of an index, a few at a time, and return the names of the people in them."""
    numbers: dict[str, int] = {}
    partial = folder / f"{ROWS}.{os.getpid()}"
    with partial.open("wb") as file, (folder / INDEX).open("rb") as index:
        for rows in _in_parts(index):
            _made(folder, rows, numbers).tofile(file)
    partial.replace(folder / ROWS)
    return list(numbers)


def _in_parts(index: BinaryIO) -> Iterator[list[dict[str, Any]]]:
    """Yield the rows of an index in lists; a last one that was cut off is left out."""
    part: list[dict[str, Any]] = []
    for line in index:
        try:
            part.append(json.loads(line))
        except ValueError:
            break
        if len(part) == AT_ONCE:
            yield part
            part = []
    yield part


def _made(folder: Path, rows: list[dict[str, Any]], numbers: dict[str, int]) -> np.ndarray:
    """Return rows of an index as rows of the table; new people are given numbers."""
    made = np.zeros(len(rows), ROW)
    for number, fields in enumerate(rows):
        row = Row(**fields)
        for name in ("shard", "length", "offset", "label_offset", "label_length", "points", "scale", "grey"):
            made[number][name] = getattr(row, name)
        made[number]["person"] = numbers.setdefault(row.person, len(numbers))
        made[number]["size"] = row.size or len(read_crop(folder, row))  # packs of before 0.1 do not say it
    return made


def _seal(index: Path) -> dict[str, int]:
    """Return what changes with an index: its length and its last bytes."""
    with index.open("rb") as file:
        length = file.seek(0, os.SEEK_END)
        file.seek(max(0, length - 4096))
        return {"bytes": length, "end": zlib.crc32(file.read()), "row": ROW.itemsize}


def _read_people(path: Path) -> dict[str, Any]:
    try:
        people: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return people
    except (OSError, ValueError):
        return {}


def _write(path: Path, content: bytes) -> None:
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    partial.write_bytes(content)
    partial.replace(path)
