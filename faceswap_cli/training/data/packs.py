"""Several packs as one: their rows behind each other, their people by one list of names."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from .table import open_table


class Packs:
    """The rows of several packs behind each other."""

    def __init__(self, folders: tuple[Path, ...]) -> None:
        self.tables = [open_table(folder) for folder in folders]
        self._first = np.cumsum([0, *map(len, self.tables)])

    def __len__(self) -> int:
        return int(self._first[-1])

    def place(self, row: int) -> tuple[int, int]:
        """Return the number of a row's pack, and its number there."""
        pack = int(np.searchsorted(self._first, row, side="right")) - 1
        return pack, row - int(self._first[pack])

    def parts(self, rows: np.ndarray) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """Yield the number of each pack that has any of the rows (K,), which of them, and their numbers there."""
        packs = np.searchsorted(self._first, rows, side="right") - 1
        for pack in np.unique(packs):
            which = np.flatnonzero(packs == pack)
            yield int(pack), which, rows[which] - self._first[pack]

    def names(self) -> list[str]:
        """Return the people of all packs, by name."""
        return sorted({name for table in self.tables for name in table.people})

    def people(self, names: list[str]) -> np.ndarray:
        """Return the number (N,) int32 of each row's person among the names."""
        numbers = {name: number for number, name in enumerate(names)}
        theirs = (np.array([numbers[name] for name in table.people], np.int32) for table in self.tables)
        return np.concatenate([own[table.rows["person"]] for own, table in zip(theirs, self.tables, strict=True)])

    def column(self, name: str) -> np.ndarray:
        """Return one column (N, ...) of the rows of all tables."""
        return np.concatenate([table.rows[name] for table in self.tables])
