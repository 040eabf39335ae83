"""Leave a source's glasses behind: rims, tinted lenses and reflections are no part of a face.

The parser's class for glasses covers what is seen through clear lenses too, so within it each pixel is compared with
the skin around: what looks like that skin comes along, what does not stays the target's.
"""

import cv2
import numpy as np

from ...stages.parse import GLASSES, class_share, disc

_SKIN = (1, 10)  # in CelebAMask-HQ's order; the nose is skin as well
_AROUND = 0.06  # share of the side over which skin is averaged
_STRANGE = 2.2  # times the skin's spread from which a pixel is no skin
_LEAST = 25.0  # grey levels that it differs by at least: skin of an even face spreads little
_RIM = 0.02  # share of the side by which glasses may be larger than their class, and skin is kept off other classes
_GRAIN = 0.003  # share of the side that pores and grain are large
_SOFT = 0.006  # share of the side over which they end


def glasses(image: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Return (S, S) float32 in [0, 1]: which pixels of a crop (S, S, 3) uint8 with classes (19, P, P) are glasses."""
    size = image.shape[0]
    worn, skin = (
        cv2.resize(class_share(shares, classes), (size, size), interpolation=cv2.INTER_LINEAR)
        for classes in ((GLASSES,), _SKIN)
    )
    if worn.max() < 0.5:
        return np.zeros((size, size), np.float32)
    near = disc(_RIM * size / 2)
    smooth = cv2.GaussianBlur(image.astype(np.float32), (0, 0), _GRAIN * size)
    surely = cv2.erode(np.maximum(2 * skin - 1, 0), near)
    strange = _strangeness(smooth, surely, _AROUND * size)
    found = ((strange > 1) & (cv2.dilate(worn, near) > 0.5)).astype(np.float32)
    return cv2.GaussianBlur(cv2.dilate(found, near), (0, 0), _SOFT * size)


def _strangeness(image: np.ndarray, skin: np.ndarray, reach: float) -> np.ndarray:
    """Return (S, S): how far each pixel is from the skin (S, S) around it, 1 where it is no skin any more."""
    weight = cv2.GaussianBlur(skin, (0, 0), reach) + 1e-6
    around = cv2.GaussianBlur(skin[..., None] * image, (0, 0), reach) / weight[..., None]
    spread = float(np.sqrt((skin * np.square(image - around).mean(axis=2)).sum() / max(float(skin.sum()), 1.0)))
    distance: np.ndarray = np.abs(image - around).max(axis=2)
    return distance / max(_STRANGE * spread, _LEAST)
