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
        self._open = closed is not portrait
        self._shown = [(_layers(each, each.image), _layers(each, smoothed(each))) for each in (portrait, closed)]

    def closed(self, points: np.ndarray, classes: np.ndarray | None) -> float:
        """Return how far, in [0, 1], its open mouth is to be shut over a face; see `shut.how_shut`."""
        return how_shut(points, classes) if self._open else 0.0

    def over(self, points: np.ndarray, closed: float) -> np.ndarray:
        """Return what to lay over a face of these points (66, 2), (S, S, 4) uint8: colours, and which may be used."""
        smile = excess(self._points, points)
        seen, shut_mouth = (_mixed(*pair, smile) for pair in self._shown)
        return _mixed(seen, shut_mouth, closed)


def _layers(portrait: Portrait, image: np.ndarray) -> np.ndarray:
    return np.dstack([image, np.rint(255 * portrait.usable).astype(np.uint8)])


def _mixed(first: np.ndarray, second: np.ndarray, share: float) -> np.ndarray:
    """Return the mean of two pictures, so much of it the second."""
    if share in (0.0, 1.0):
        return second if share else first
    return cv2.addWeighted(first, 1 - share, second, share, 0)
