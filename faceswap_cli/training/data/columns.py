"""What is found out about the faces of a pack, once: columns beside its rows, mapped into memory when they are used.

Columns are filled chunk by chunk, in any order, by any number of processes; a chunk counts once its last byte is on
disk, so that work cut off at any moment goes on with the next. A pack that has grown is filled where it is new.
"""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import MediaError
from ..core.digests import digest
from ..core.parallel import here
from ..core.workers import cores, spread
from .table import Table

Show = Callable[[int, int], None]  # rows that are filled, rows in all
Found = tuple[Mapping[str, np.ndarray], Mapping[str, Sequence[bytes]]]  # arrays (K, ...), K encoded pictures each

LOOKED = "looked"  # folder of a pack's columns
CHUNK = 256  # rows: what a process fills at a time
MARKS = "marks"  # of each row that is filled, by `Table.marks`
PICTURES = "pictures"  # file of a chunk's


@dataclass(frozen=True, slots=True)
class Layout:
    """Which columns there are."""

    arrays: Mapping[str, tuple[int, ...]]  # name -> shape of one row, float32
    pictures: tuple[str, ...] = ()  # names of what is kept as encoded pictures


@dataclass(frozen=True, slots=True)
class Filling:
    """How columns are filled that are not yet."""

    beside: Path  # where the columns of a pack lie that may not be written to
    processes: int | None = None  # None means one for each core
    show: Show | None = None

    def folder(self, table: Table, kind: str) -> Path:
        """Return where columns of one kind of a pack lie."""
        inside = table.folder / LOOKED / kind
        if inside.is_dir() or os.access(table.folder, os.W_OK):
            return inside
        where = table.folder.resolve()
        return self.beside / LOOKED / f"{where.name}-{digest(str(where), [])[:8]}" / kind


class Columns:
    """The columns of one kind of finding."""

    def __init__(self, folder: Path, table: Table, layout: Layout) -> None:
        self.folder, self._table, self._layout = folder, table, layout
        folder.mkdir(parents=True, exist_ok=True)
        self._arrays = {name: self._open(name, shape, "<f4") for name, shape in layout.arrays.items()}
        self._places = {name: self._open(f"{name}-places", (2,), "<u8") for name in layout.pictures}
        self._marks = self._open(MARKS, (), "<u8")

    def __len__(self) -> int:
        return len(self._table)

    def __reduce__(self) -> tuple[Any, ...]:
        return Columns, (self.folder, self._table, self._layout)  # another process maps the files by itself

    def missing(self) -> list[int]:
        """Return the numbers of the chunks that are not wholly filled."""
        chunks = range(-(-len(self) // CHUNK))
        return [chunk for chunk in chunks if (self._marks[rows_of(chunk)] != self._table.marks(rows_of(chunk))).any()]

    def fill(self, chunk: int, found: Found) -> None:
        """Keep what was found about the rows of a chunk."""
        rows, (arrays, pictures) = rows_of(chunk), found
        if self._layout.pictures:
            self._keep_pictures(chunk, pictures)
        for name in self._layout.arrays:
            self._arrays[name][rows] = arrays[name]
        for filled in (*self._places.values(), *self._arrays.values()):
            _flush(filled)
        self._marks[rows] = self._table.marks(rows)
        _flush(self._marks)

    def array(self, name: str) -> np.ndarray:
        """Return a column (N, ...) float32, mapped."""
        return self._arrays[name]

    def picture(self, name: str, row: int) -> bytes:
        """Return the encoded picture of a row; raise MediaError where it is gone."""
        offset, length = (int(number) for number in self._places[name][row])
        path = self._file(row // CHUNK)
        try:
            with path.open("rb", buffering=0) as file:
                file.seek(offset)
                return file.read(length)
        except OSError as error:
            raise MediaError(
                f"{path} cannot be read ({error.strerror}): remove {self.folder}, it is made anew"
            ) from error

    def _open(self, name: str, shape: tuple[int, ...], kind: str) -> np.ndarray:
        """Return a column mapped for reading and writing, zeros where it was never filled."""
        path, width = self.folder / f"{name}.bin", int(np.prod(shape)) * np.dtype(kind).itemsize
        if not len(self):
            return np.empty((0, *shape), kind)
        whole = path.is_file() and path.stat().st_size == width * len(self)
        if not whole:
            with path.open("ab") as file:
                file.truncate(width * len(self))
        return np.memmap(path, kind, "r+" if os.access(path, os.W_OK) else "r", shape=(len(self), *shape))

    def _file(self, chunk: int) -> Path:
        return self.folder / f"{PICTURES}-{chunk:06d}.bin"

    def _keep_pictures(self, chunk: int, pictures: Mapping[str, Sequence[bytes]]) -> None:
        """Write the encoded pictures of a chunk behind each other, and where each lies: offset, length."""
        every = [picture for name in self._layout.pictures for picture in pictures[name]]
        path = self._file(chunk)
        partial = path.with_name(f"{path.name}.{os.getpid()}")
        with partial.open("wb") as file:
            file.writelines(every)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        lengths = np.array([len(picture) for picture in every], np.uint64)
        places = np.stack([np.cumsum(lengths) - lengths, lengths], axis=1)
        for name, each in zip(self._layout.pictures, np.split(places, len(self._layout.pictures)), strict=True):
            self._places[name][rows_of(chunk)] = each


def fill_missing(
    columns: Columns,
    filling: Filling,
    start: Callable[[], Callable[[int], Any]],
    finish: Callable[[Any], Found] = lambda found: found,
) -> None:
    """Fill what is missing: `start` gives a process the function that looks at a chunk, `finish` ends it in this one.

    The workers of a run on one machine share the chunks, and wait for each other.
    """
    missing, (number, together) = columns.missing(), here()
    mine = missing[number::together]
    processes = max(1, min(filling.processes or cores() // together, len(mine)))
    if mine:
        _show(columns, filling, len(missing))
    for done, (chunk, found) in enumerate(spread(start, mine, processes), 1):
        columns.fill(chunk, finish(found))
        _show(columns, filling, (len(mine) - done) * together)
    while together > 1 and columns.missing():
        time.sleep(1)


def _show(columns: Columns, filling: Filling, missing: int) -> None:
    """Tell whoever watches how many rows are filled when so many chunks are not."""
    if filling.show is not None:
        filling.show(max(0, len(columns) - missing * CHUNK), len(columns))


def rows_of(chunk: int) -> slice:
    """Return the rows of a chunk; the last one's may be fewer."""
    return slice(chunk * CHUNK, (chunk + 1) * CHUNK)


def _flush(column: np.ndarray) -> None:
    if isinstance(column, np.memmap):
        column.flush()
