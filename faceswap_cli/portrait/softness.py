"""Measure how sharp a face is, and blur it.

How sharp a face is, is told by its strongest edges (lids, brows, nostrils, lips): how much steeper they are when looked
at finely than when looked at coarsely. Contrast and wrinkles do not count, as they change both alike. It is told across
and down apart: what moves is blurred along its way alone.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from ..stages.soft import DRAWN
from .landmarks import JAW


@dataclass(frozen=True, slots=True)
class SharpnessGauge:
    """Measures sharpness in a crop of 224."""

    fine: float = 0.6  # pixels: deviation of the fine look; that of the coarse one is three times as much
    strong: float = 0.99  # quantile of the gradients that is the strongest edges
    blurs: tuple[float, ...] = (0.0, 0.4, 0.6, 0.8, 1.1, 1.5, 2.0, 3.0, 4.5)  # pixels: that are tried on a portrait

    def sharpness(self, image: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
        """Return how sharp a face of landmarks (66, 2) is across and down, (2,), in a crop (S, S, 3) uint8.

        It is 1.2 in a blurred film, 2 in a photo.
        """
        small = cv2.resize(image, (DRAWN, DRAWN), interpolation=cv2.INTER_AREA)
        inner = landmarks[JAW.stop :] * DRAWN
        left, top = np.clip(np.floor(inner.min(axis=0)).astype(int) - 2, 0, DRAWN - 8)
        right, bottom = np.clip(np.ceil(inner.max(axis=0)).astype(int) + 2, (left + 8, top + 8), DRAWN)
        grey = cv2.cvtColor(small[top:bottom, left:right], cv2.COLOR_RGB2GRAY).astype(np.float32)
        fine, coarse = (self._strongest(cv2.GaussianBlur(grey, (0, 0), each)) for each in (self.fine, 3 * self.fine))
        return fine / (coarse + 1e-3)

    def _strongest(self, grey: np.ndarray) -> np.ndarray:
        """Return the steepness (2,) of the strongest edges across and down."""
        steepness = [np.abs(cv2.Sobel(grey, cv2.CV_32F, *axis)).ravel() for axis in ((1, 0), (0, 1))]
        number = int(self.strong * grey.size)
        return np.array([np.partition(each, number)[number] for each in steepness])


def blurred(image: np.ndarray, across: float, down: float) -> np.ndarray:
    """Return a crop (S, S, 3) uint8 blurred across and down by deviations in pixels of a crop of 224."""
    for axis, deviation in enumerate((across, down)):
        if deviation > 0:
            kernel = _bell(deviation * image.shape[0] / DRAWN)
            image = cv2.sepFilter2D(image, -1, *((kernel, _ALONE) if axis == 0 else (_ALONE, kernel)))
    return image


_ALONE = np.ones(1, np.float32)  # a kernel that leaves its axis as it is


def _bell(deviation: float) -> np.ndarray:
    """Return a Gaussian kernel (n, 1), wide enough for all but a thousandth of it."""
    return cv2.getGaussianKernel(2 * round(3.3 * deviation) + 1, deviation, cv2.CV_32F)
