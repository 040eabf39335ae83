"""The faces that triplets are made of: some packs, split by person, drawn from without being held in memory.

Of a row some twenty bytes lie in memory, in each process, however large its pack.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...errors import UsageError
from ...evaluation.splits import part_of
from .pack import Row
from .packs import Packs

ENLARGED = 1.2  # crop pixels per picture pixel up to which a crop is sharp
SHARP = 0.75  # share of the answers that are sharp pictures, as far as there are any
PARTS = ("training", "tuning")  # people to train on, and to measure on while that goes on


@dataclass(frozen=True, slots=True)
class Face:
    """A crop of a pack."""

    folder: Path
    row: Row
    number: int  # among all rows of all packs


class Group:
    """The faces of the people one trains on, or of those one measures on."""

    def __init__(self, packs: Packs, rows: np.ndarray, people: np.ndarray, names: list[str]) -> None:
        """Take the rows (K,) of a group, in order, of packs whose rows show `people` (N,), numbers of `names`."""
        grey, scale = packs.column("grey")[rows], packs.column("scale")[rows]
        self._packs, self._rows, self._names = packs, rows, names
        self._sharp = rows[~grey & (scale <= ENLARGED)]
        self._soft = rows[~grey & (scale > ENLARGED)]
        order = np.argsort(people[rows], kind="stable")
        self._by_person, self._persons = rows[order], people[rows][order]
        self.usable = len(np.unique(self._persons)) > 1 and not grey.all()

    def photos(self, person: str) -> list[Face]:
        """Return all faces of a person."""
        number = int(np.searchsorted(self._names, person))
        first, last = (int(np.searchsorted(self._persons, number, side)) for side in ("left", "right"))
        return [self._face(row) for row in self._by_person[first:last]]

    def draw_answer(self, draw: np.random.Generator) -> Face:
        """Draw a face in colour, most of them sharp."""
        sharp = len(self._sharp) and (not len(self._soft) or draw.random() < SHARP)
        return self._one(self._sharp if sharp else self._soft, draw)

    def draw_any(self, draw: np.random.Generator) -> Face:
        """Draw any face."""
        return self._one(self._rows, draw)

    def _one(self, rows: np.ndarray, draw: np.random.Generator) -> Face:
        return self._face(rows[int(draw.integers(len(rows)))])

    def _face(self, row: int) -> Face:
        pack, number = self._packs.place(int(row))
        table = self._packs.tables[pack]
        return Face(table.folder, table.row(number), int(row))


def grouped(folders: tuple[Path, ...]) -> tuple[Group, Group]:
    """Return the faces to train on and those to measure on, split by person; people who are reported are in neither.

    Raises UsageError where there are not two people in colour to train on.
    """
    packs = Packs(folders)
    names = packs.names()
    people = packs.people(names)
    parts = np.array([part_of(name) for name in names])[people]
    training, tuning = (Group(packs, np.flatnonzero(parts == part).astype(np.int32), people, names) for part in PARTS)
    if not training.usable:
        raise UsageError(f"{len(packs)} faces in {', '.join(map(str, folders))}: triplets need two people in colour")
    return training, tuning
