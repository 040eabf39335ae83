"""Make a portrait as soft as its target: a sharp face in a blurred film looks pasted.

How sharp a face is, is told by its strongest edges (lids, brows, nostrils, lips): how much steeper they are when looked
at finely than when looked at coarsely. Contrast and wrinkles do not count, as they change both alike.
"""

import cv2
import numpy as np

from ...types import Portrait
from ..landmarks import JAW

_SIDE = 224  # at which sharpness is looked at
_FINE, _COARSE = 0.6, 1.8  # pixels of it: deviations of the two looks
_STRONG = 0.98  # quantile of the gradients that is the strongest edges
_DEVIATIONS = (0.0, 0.4, 0.6, 0.8, 1.1, 1.5, 2.0)  # the same: blurs that are tried on a portrait
_MARGIN = 1.05  # a portrait may be sharper than its target by so much
_LEAST = 0.2  # pixels of it: a lesser blur is not seen


class Sharpness:
    """Knows how sharp one portrait is, and how soft each blur makes it."""

    def __init__(self, portrait: Portrait) -> None:
        seen = [sharpness(blurred(portrait.image, each), portrait.points) for each in _DEVIATIONS]
        self._softer = np.minimum.accumulate(seen)

    def like(self, target: np.ndarray, points: np.ndarray) -> float:
        """Return the blur that makes the portrait as soft as a face (S, S, 3) uint8 of points (66, 2); see `blurred`.

        0 for a target that is as sharp or sharper.
        """
        wanted = _MARGIN * sharpness(target, points)
        deviation = float(np.interp(-wanted, -self._softer, _DEVIATIONS))
        return deviation if deviation > _LEAST else 0.0


def sharpness(image: np.ndarray, points: np.ndarray) -> float:
    """Return how sharp a face with points (66, 2) is in a crop (S, S, 3) uint8: 1.2 in a blurred film, 2 in a photo."""
    small = cv2.resize(image, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    inner = points[JAW.stop :] * _SIDE
    left, top = np.clip(np.floor(inner.min(axis=0)).astype(int) - 2, 0, _SIDE - 8)
    right, bottom = np.clip(np.ceil(inner.max(axis=0)).astype(int) + 2, (left + 8, top + 8), _SIDE)
    grey = cv2.cvtColor(small[top:bottom, left:right], cv2.COLOR_RGB2GRAY).astype(np.float32)
    fine, coarse = (_strongest(cv2.GaussianBlur(grey, (0, 0), each)) for each in (_FINE, _COARSE))
    return fine / (coarse + 1e-3)


def blurred(image: np.ndarray, deviation: float) -> np.ndarray:
    """Return a crop (S, S, 3) uint8 blurred by a deviation in pixels of a crop of 224."""
    if deviation == 0:
        return image
    return cv2.GaussianBlur(image, (0, 0), deviation * image.shape[0] / _SIDE)


def _strongest(grey: np.ndarray) -> float:
    steepness = cv2.magnitude(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)).ravel()
    number = int(_STRONG * steepness.size)
    return float(np.partition(steepness, number)[number])
