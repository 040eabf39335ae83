"""What the last frames of a clip showed, for stages that steady what trembles."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

POINTS_BACK = 2  # frames that points are steadied by
MASKS_BACK = 4  # frames that masks are steadied by
GLASSES_BACK = 12  # frames over which it is told whether glasses are worn
BEARDS_BACK = 12  # the same of beards
SHAPES_BACK = 24  # frames over which a face's own shape is averaged
REACH = MASKS_BACK + GLASSES_BACK + SHAPES_BACK  # frames before one that what is done with it can depend on


def _last(count: int) -> Callable[[], deque[Any]]:
    return lambda: deque(maxlen=count)


def lately(before: deque[dict[int, float]], tracks: list[int], now: list[float]) -> list[float]:
    """Note what is seen of each track now; return for each the mean of that and of the frames before that show it."""
    before.append(dict(zip(tracks, now, strict=True)))
    return [float(np.mean([seen[track] for seen in before if track in seen])) for track in tracks]


@dataclass(frozen=True, slots=True, eq=False)
class Past:
    """What each stage saw in a run through a clip, by track: a few frames and no more, so a resumed run has it too.

    Each stage reads and appends its own; what is kept stands still in the frame rather than in the crop, which hangs on
    points that tremble themselves.
    """

    masks: deque[dict[int, Any]] = field(default_factory=_last(MASKS_BACK))
    points: deque[dict[int, np.ndarray]] = field(default_factory=_last(POINTS_BACK))  # (66, 2) in frame pixels
    shapes: deque[dict[int, np.ndarray]] = field(default_factory=_last(SHAPES_BACK))  # (66, 2) as the face itself lies
    beards: deque[dict[int, float]] = field(default_factory=_last(BEARDS_BACK))  # how surely there is one
    glasses: deque[dict[int, float]] = field(default_factory=_last(GLASSES_BACK))  # share of the crop that is glasses
