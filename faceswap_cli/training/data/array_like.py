"""Arrays whose rows are read or decoded when they are asked for: of a set of any size, memory holds what is drawn.

They are indexed by rows as NumPy's are (a number, numbers, a mask, a slice) and answer with plain arrays.
"""

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np


class ArrayLike(Protocol):
    """What training asks of an array of faces; NumPy's arrays are such, too."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows, then the shape of one."""

    def __len__(self) -> int:
        """Return how many rows there are."""

    def __getitem__(self, rows: Any) -> np.ndarray:
        """Return one row for a number, an array of rows for anything else."""

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yield row after row."""


class Lazy:
    """An array (N, ...) made of what `read` returns for row numbers (K,) int64: an array (K, ...)."""

    def __init__(self, shape: tuple[int, ...], read: Callable[[np.ndarray], np.ndarray]) -> None:
        self.shape = shape
        self._read = read

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> np.ndarray:
        if isinstance(rows, int | np.integer):
            return self._read(chosen_rows([rows], len(self)))[0]
        return self._read(chosen_rows(rows, len(self)))

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[row] for row in range(len(self)))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        whole = self[:]
        return whole if dtype is None else whole.astype(dtype)

    def chosen(self, rows: Any) -> "Lazy":
        """Return an array of some rows, none of which is read yet."""
        wanted, read = chosen_rows(rows, len(self)), self._read
        return Lazy((len(wanted), *self.shape[1:]), _Chosen(wanted, read))


class _Chosen:
    """Reads rows by their numbers among some that were chosen."""

    def __init__(self, rows: np.ndarray, read: Callable[[np.ndarray], np.ndarray]) -> None:
        self._rows, self._read = rows, read

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        return self._read(self._rows[rows])


class Kept:
    """Reads pictures one by one, and keeps those it read first, up to a number of bytes."""

    def __init__(self, read: Callable[[int], np.ndarray], budget: int) -> None:
        self._read, self._left = read, budget
        self._kept: dict[int, np.ndarray] = {}

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        """Return the pictures of rows (K,), one behind the other."""
        return np.stack([self._one(int(row)) for row in rows])

    def _one(self, row: int) -> np.ndarray:
        found = self._kept.get(row)
        if found is None:
            found = self._read(row)
            if found.nbytes <= self._left:
                self._kept[row] = found
                self._left -= found.nbytes
        return found


def chosen_rows(rows: Any, count: int) -> np.ndarray:
    """Return the numbers (K,) int64 of the rows that numbers, a mask or a slice mean, of `count`."""
    if isinstance(rows, slice):
        return np.arange(count)[rows]
    rows = np.asarray(rows)
    numbers = np.flatnonzero(rows) if rows.dtype == bool else rows.astype(np.int64)
    if len(numbers) and not -count <= numbers.min() <= numbers.max() < count:
        raise IndexError(f"rows {numbers.min()} to {numbers.max()} of {count}")
    return numbers % count if count else numbers
