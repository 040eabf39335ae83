"""Show a portrait as it suits its target's expression: as it is, without a smile's folds, its mouth shut, or none."""

import cv2
import numpy as np

from ..types import Portrait
from .corrections.close_mouth import how_shut, shut
from .corrections.own_lips import unlike, without_mouth
from .corrections.source_folds import excess, smoothed


class Looks:
    """One portrait and what it looks like otherwise, made once; a frame mixes them."""

    def __init__(self, portrait: Portrait) -> None:
        self._points, self._lips = portrait.points, portrait.lips
        closed = shut(portrait)
        self._seen, self._shut = _pair(portrait), None if closed is portrait else _pair(closed)
        self._bare = None if portrait.lips is None else _pair(without_mouth(portrait))

    def closed(self, points: np.ndarray, classes: np.ndarray | None) -> float:
        """Return how far, in [0, 1], its open mouth is to be shut over a face; see `shut.how_shut`."""
        return 0.0 if self._shut is None else how_shut(points, classes)

    def unlike(self, points: np.ndarray, classes: np.ndarray | None) -> float:
        """Return how far, in [0, 1], a face is to keep its own lips; see `mouth.unlike`."""
        return 0.0 if self._lips is None or classes is None else unlike(self._lips, points, classes)

    def over(self, points: np.ndarray, closed: float, bare: float) -> np.ndarray:
        """Return what to lay over a face of these points (66, 2), (S, S, 4) uint8: colours, and which may be used.

        `closed` says how far its mouth is shut, `bare` how far it has none.
        """
        smile = max(excess(self._points, points), bare)  # whose lips cannot follow has folds that do not either
        shown = _mixed(*self._seen, smile)
        for look, share in ((self._shut, closed), (self._bare, bare)):
            if look is not None and share > 0:
                shown = _mixed(shown, _mixed(*look, smile), share)
        return shown


def _pair(portrait: Portrait) -> tuple[np.ndarray, np.ndarray]:
    """Return the layers of a portrait with the folds of its smile, and without."""
    usable = np.rint(255 * portrait.usable).astype(np.uint8)
    return np.dstack([portrait.image, usable]), np.dstack([smoothed(portrait), usable])


def _mixed(first: np.ndarray, second: np.ndarray, share: float) -> np.ndarray:
    """Return the mean of two pictures, so much of it the second."""
    if share in (0.0, 1.0):
        return second if share else first
    return cv2.addWeighted(first, 1 - share, second, share, 0)
