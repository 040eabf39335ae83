"""Say how softly masks end and thresholds are passed: the few standards that all steps of a swap share.

A hard edge shows as a seam, a hard threshold blinks in a clip. Lengths are shares of a crop's side; a deviation is that
of a Gaussian blur.
"""

import cv2
import numpy as np

DRAWN = 224  # side at which soft masks and fillings are drawn: a larger one is enlarged from it
FEATHER = 0.02  # deviation with which a mask of the face ends
PART_FEATHER, LINE_FEATHER = FEATHER / 2, FEATHER / 4  # the same of a part of it, and of lids, lips and lines
RIM = 1.5 * FEATHER  # by which a face's mask is drawn in first, so that its soft edge hardly leaves the face
BAND = 0.1  # how far a share, a probability or a ratio goes while what hangs on its threshold goes from 0 to 1
SURE = 0.8  # share of classes from which a pixel surely is one of them
UNSURE = 2  # pixels of a parser by which the edges of what it sees are unsure
HISTORY = 12  # frames of a clip over whose mean it is told what does not change within half a second


def feathered(mask: np.ndarray, deviation: float) -> np.ndarray:
    """Return a mask (S, S) float32 whose edges are blurred by a share of its side."""
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), deviation * len(mask)))


def ramp(value: float, ends: tuple[float, float]) -> float:
    """Return 0 up to the first end, 1 from the second on, and in between what lies between."""
    return float(np.clip((value - ends[0]) / (ends[1] - ends[0]), 0, 1))


def soft_step(value: float, threshold: float) -> float:
    """Return how far, in [0, 1], a value lies beyond a threshold: half on it, all from half of `BAND` above it on."""
    return ramp(value, (threshold - BAND / 2, threshold + BAND / 2))
