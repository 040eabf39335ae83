"""What the last frames of a clip showed, for steps and masks that steady what trembles."""

from collections import deque
from typing import Any

import numpy as np


class History:
    """What was seen in the last few frames of a clip, by track; a resumed run fills it again from these alone.

    Each step reads and appends its own, under its name. Places are kept in coordinates of the frame, since crops are
    cut by points that tremble.
    """

    def __init__(self) -> None:
        self._kept: dict[str, deque[dict[int, Any]]] = {}

    def frames(self, name: str, count: int) -> deque[dict[int, Any]]:
        """Return what was noted under a name in the last `count` frames, the oldest first; append what is seen now."""
        return self._kept.setdefault(name, deque(maxlen=count))

    def running_mean(self, name: str, count: int, now: dict[int, float]) -> dict[int, float]:
        """Note what is seen of each track; return the mean of that and of the frames before that show it."""
        frames = self.frames(name, count)
        frames.append(now)
        return {track: float(np.mean([seen[track] for seen in frames if track in seen])) for track in now}
