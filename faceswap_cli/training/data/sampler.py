"""Draw rows by person: each as often as wished, pairs of one person at once, whatever the number of rows.

A person with n rows is drawn n^balance times as often as one with a single row: 0 draws all people equally often, as
the published SimSwap does, 1 all rows. In between, a person of whom there are hundreds of pictures does not crowd out
those of whom there are two, nor are these two shown for ever.
"""

import numpy as np

REDRAWS = 100  # at most, until two are different people: there may be one person only


class PersonSampler:
    """Some rows of a set, sorted once by person."""

    def __init__(self, people: np.ndarray, rows: np.ndarray, balance: float) -> None:
        """Take the number of each row's person (N,), the rows (K,) that may be drawn and the balance in [0, 1]."""
        self._people = people
        theirs = people[rows]
        self._rows = rows[np.argsort(theirs, kind="stable")].astype(np.int32)
        numbers, self._counts = np.unique(theirs, return_counts=True)
        self._first = np.cumsum(self._counts) - self._counts
        self._place = np.full(int(people.max(initial=-1)) + 1, -1)
        self._place[numbers] = np.arange(len(numbers))
        chances = np.cumsum(self._counts**balance)
        self._chances = chances / chances[-1] if len(chances) else chances

    def __len__(self) -> int:
        return len(self._rows)

    def draw(self, count: int, generator: np.random.Generator) -> np.ndarray:
        """Draw rows (count,) int64."""
        return self._row_of(np.searchsorted(self._chances, generator.random(count), side="right"), generator)

    def draw_same(self, rows: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """Draw for each row a row of the same person, itself among them."""
        return self._row_of(self._place[self._people[rows]], generator)

    def draw_others(self, rows: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """Draw for each row a row of somebody else, where there is anybody else."""
        drawn = self.draw(len(rows), generator)
        for _ in range(REDRAWS):
            own = self._people[drawn] == self._people[rows]
            if not own.any():
                break
            drawn[own] = self.draw(int(own.sum()), generator)
        return drawn

    def _row_of(self, places: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """Draw one row of each of the people at some places."""
        nth = (generator.random(len(places)) * self._counts[places]).astype(np.int64)
        return self._rows[self._first[places] + nth].astype(np.int64)
