"""What the last frames of a clip showed, for stages that steady what trembles."""

from collections import deque
from dataclasses import dataclass, field
from typing import Any

import numpy as np

LOOK_BACK = 2  # frames


def _frames() -> deque[Any]:
    return deque(maxlen=LOOK_BACK)


@dataclass(frozen=True, slots=True, eq=False)
class Past:
    """What each stage saw in a run through a clip, by track: LOOK_BACK frames and no more, so a resumed run has it too.

    Each stage reads and appends its own; what is kept stands still in the frame rather than in the crop, which hangs on
    points that tremble themselves.
    """

    masks: deque[dict[int, Any]] = field(default_factory=_frames)
    points: deque[dict[int, np.ndarray]] = field(default_factory=_frames)  # (66, 2) in frame pixels
