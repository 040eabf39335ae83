"""Show a portrait as it suits its target's expression: without a smile's folds, with its mouth shut, or as it is."""

import cv2
import numpy as np

from ..types import Portrait
from .folds import excess, smoothed
from .shut import how_shut, shut


class Looks:
    """One portrait and what it looks like otherwise, made once; a frame mixes them."""

    def __init__(self, portrait: Portrait) -> None:
        self._points = portrait.points
        closed = shut(portrait)
        self._seen, self._shut = _pair(portrait), None if closed is portrait else _pair(closed)

    def closed(self, points: np.ndarray, classes: np.ndarray | None) -> float:
        """Return how far, in [0, 1], its open mouth is to be shut over a face; see `shut.how_shut`."""
        return 0.0 if self._shut is None else how_shut(points, classes)

    def over(self, points: np.ndarray, closed: float) -> np.ndarray:
        """Return what to lay over a face of these points (66, 2), (S, S, 4) uint8: colours, and which may be used."""
        smile = excess(self._points, points)
        seen = _mixed(*self._seen, smile)
        if self._shut is None or closed == 0:
            return seen
        return _mixed(seen, _mixed(*self._shut, smile), closed)


def _pair(portrait: Portrait) -> tuple[np.ndarray, np.ndarray]:
    """Return the layers of a portrait with the folds of its smile, and without."""
    usable = np.rint(255 * portrait.usable).astype(np.uint8)
    return np.dstack([portrait.image, usable]), np.dstack([smoothed(portrait), usable])


def _mixed(first: np.ndarray, second: np.ndarray, share: float) -> np.ndarray:
    """Return the mean of two pictures, so much of it the second."""
    if share in (0.0, 1.0):
        return second if share else first
    return cv2.addWeighted(first, 1 - share, second, share, 0)
