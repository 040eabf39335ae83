"""Find the one frame rate of a clip, for containers that hold no other."""

from collections import deque
from fractions import Fraction

from .reader import Clip
from .sequence import is_sequence

FINEST_GRID = 10  # places of a rate's grid for each picture: the empty ones cost a container some bytes
DEEPEST_REORDER = 32  # pictures that may be stored before one that is shown earlier


def even_rate(clip: Clip, start: Fraction | None, end: Fraction | None) -> Fraction | None:
    """Return a frame rate whose even grid has a place for each picture of [start, end) seconds; None if none has.

    A picture may lie a tick of the file's clock beside its place. Timestamps are read until no rate is left, or to the
    end.
    """
    if is_sequence(clip.path):
        return clip.average_rate
    rates = (rate for rate in dict.fromkeys(clip.rates) if rate <= FINEST_GRID * clip.average_rate)
    grids = [_Grid(rate, clip.time_base) for rate in rates]
    for pts in clip.timestamps(start, end):
        grids = [grid for grid in grids if grid.takes(pts)]
        if not grids:
            return None
    return grids[0].rate


class _Grid:
    """The even grid of one frame rate: every place takes one picture."""

    def __init__(self, rate: Fraction, time_base: Fraction) -> None:
        self.rate = rate
        self._steps = time_base * rate  # of the grid in one tick
        self._recent: deque[int] = deque(maxlen=DEEPEST_REORDER)

    def takes(self, pts: int) -> bool:
        """Say whether a picture lies on a free place, give or take a tick: a coarse clock rounds its time."""
        place = round(pts * self._steps)
        free = place not in self._recent
        self._recent.append(place)
        return free and abs(pts * self._steps - place) <= min(self._steps, Fraction(1, 4))
