"""The pictures of a folder, one after the other, and who is in each: what `prepare` goes through, however many.

Where fewer are wanted than there are, which are taken follows from their names alone, so that a broken run goes on.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from ...evaluation.splits import read_identities

PICTURES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})
MASKS = "masks"  # folder of class maps beside pictures
OF_ONE = 8  # pictures of a person that are taken, in the mean, where not all are


def walk(folder: Path) -> Iterator[Path]:
    """Yield the pictures below a folder in the order of their paths, none of those in folders of masks."""
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            if entry.name != MASKS:
                yield from walk(Path(entry.path))
        elif Path(entry.name).suffix.lower() in PICTURES:
            yield Path(entry.path)


class Draw:
    """Which pictures are taken where there are more than are wanted: some of each person, then only some people."""

    def __init__(self, pictures: int, people: int, most: int | None) -> None:
        wanted = pictures if most is None else min(most, pictures)
        self._of_one = 1.0 if wanted == pictures else min(1.0, OF_ONE * people / pictures)
        self._of_people = wanted / max(1.0, self._of_one * pictures)

    def takes(self, name: str, person: str) -> bool:
        """Tell whether a picture, by its name and its person's, is among them."""
        return _share(person) < self._of_people and _share(name) < self._of_one


class Seen:
    """Which names were seen before: eight bytes are kept of each."""

    def __init__(self, names: Iterable[str]) -> None:
        self._digests = np.unique(np.fromiter(map(_digest, names), np.uint64))

    def __len__(self) -> int:
        return len(self._digests)

    def __contains__(self, name: str) -> bool:
        place = int(np.searchsorted(self._digests, digest := _digest(name)))
        return place < len(self._digests) and int(self._digests[place]) == digest


class People:
    """Who is in a picture: `identities.tsv` of the nearest folder that has one, else the picture's folder."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._tables: dict[Path, dict[str, str]] = {}

    def of(self, path: Path) -> str:
        """Return the person in the picture."""
        for folder in path.parents:
            person = self._table(folder).get(path.relative_to(folder).as_posix()) or self._table(folder).get(path.name)
            if person is not None:
                return person
            if folder == self._root:
                break
        return path.parent.relative_to(self._root).as_posix() if path.parent != self._root else path.stem

    def name(self, path: Path) -> str:
        """Return the picture's path relative to the folder that is prepared."""
        return path.relative_to(self._root).as_posix()

    def _table(self, folder: Path) -> dict[str, str]:
        if folder not in self._tables:
            self._tables[folder] = read_identities(folder)
        return self._tables[folder]


def _share(name: str) -> float:
    """Return a number in [0, 1) that follows from a name and is spread evenly over names."""
    return (_digest(name) >> 11) / 2**53


def _digest(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(errors="surrogateescape"), digest_size=8).digest(), "little")
