"""Give swapped skin the grain of its target, pores or a camera's noise: the seventh step of a frame's way.

A portrait that was enlarged, or blurred to the target's sharpness, has none, and skin without any beside a neck that
has it looks airbrushed; one with more looks like sand in a smooth film. What is added is the target's own, found by a
high pass on its skin, so that it fits in size, strength and time; what is taken away is the swap's. Strong edges, which
are wrinkles and brows, are held down to the grain's strength.
"""

import cv2
import numpy as np

from ...stages.parse import SKIN, class_share
from ...types import Crop

_FINE = 1.2  # pixels of the crop: deviation of the high pass
_EDGE = np.uint8(16)  # levels of 255: what differs by more is an edge, and no grain
_STRONGEST = 2.5  # deviations to which grain is held
_LEAST = (0.5, 1.0)  # difference of variances up to which nothing is done, and from which on all of it
_SURE = 0.9  # share of skin from which its grain is measured
_FEWEST = 200  # pixels of it; from fewer no grain is told
_MEAN = float(np.sqrt(np.pi / 2))  # deviation over mean distance of a bell


def grained(image: np.ndarray, crop: Crop, laid: np.ndarray) -> np.ndarray:
    """Return a swapped picture (S, S, 3) uint8 with as much grain as its crop has, where a portrait (S, S, 4) is laid.

    One whose crop was not parsed comes back as it is.
    """
    if crop.classes is None:
        return image
    left, top, width, height = cv2.boundingRect(laid[..., 3])
    part = slice(top, top + height), slice(left, left + width)
    skin = cv2.resize(class_share(crop.classes, SKIN), image.shape[1::-1], interpolation=cv2.INTER_LINEAR)[part]
    skin = skin * (laid[part][..., 3] / np.float32(255))
    sure = (skin > _SURE).astype(np.uint8)
    if int(np.count_nonzero(sure)) < _FEWEST:
        return image
    target, swapped = _smooth(crop.image[part]), _smooth(image[part])
    wanted, own = _strength(*target, sure), _strength(*swapped, sure)
    lacking = wanted * wanted - own * own
    certain = min((abs(lacking) - _LEAST[0]) / (_LEAST[1] - _LEAST[0]), 1.0)
    if certain <= 0:
        return image
    if lacking > 0:
        change = float(np.sqrt(lacking)) / wanted * _grain(*target, wanted)
    else:
        change = (wanted / own - 1) * _grain(*swapped, own)
    change *= np.float32(certain) * skin
    result = image.copy()
    result[part] = cv2.add(image[part], cv2.merge([change] * 3), dtype=cv2.CV_8U)
    return result


def _grain(grey: np.ndarray, blurred: np.ndarray, strength: float) -> np.ndarray:
    """Return (S, S) float32: what is fine in a picture, held to a grain's strength."""
    fine = cv2.subtract(grey, blurred, dtype=cv2.CV_32F)
    held: np.ndarray = np.clip(fine, -_STRONGEST * strength, _STRONGEST * strength)
    return held


def _smooth(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the brightness (S, S) uint8 of a picture, and the same without what is fine."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return grey, cv2.GaussianBlur(grey, (0, 0), _FINE)


def _strength(grey: np.ndarray, blurred: np.ndarray, where: np.ndarray) -> float:
    """Return the grain's deviation, levels of 255, where a mask (S, S) uint8 is not 0."""
    return _MEAN * cv2.mean(np.minimum(cv2.absdiff(grey, blurred), _EDGE), where)[0]
