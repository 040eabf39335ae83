"""Draw the brow that hair hides from the other one, mirrored: half a pair of brows is the first thing seen in a swap.

Only brows: cheeks and foreheads that hair covers are filled well enough by the target's own.
"""

from dataclasses import replace

import cv2
import numpy as np

from ...stages.parse import disc
from ...types import Portrait
from ..landmarks import BROWS, ahead
from ..mirror import mirrored_onto

_HALVES = (slice(BROWS.start, BROWS.start + 5), slice(BROWS.start + 5, BROWS.stop))
_WIDTH = 0.05  # share of the side that a brow is high, with the skin around it
_HIDDEN, _SEEN = 0.7, 0.8  # usable share of a brow: below the first it is drawn, if the other one reaches the second
_AHEAD = 0.5  # of `points.ahead`, below which the far brow lies along the face's outline
_GAIN = 0.6, 1.6  # least and most by which its colours are brought to this side's light


def completed(portrait: Portrait) -> Portrait:
    """Return the portrait, with a brow that is hidden drawn from its mirror image where that shows it."""
    if ahead(portrait.points) < _AHEAD:
        return portrait
    bands = [_band(portrait.points[half], portrait.image.shape[0]) for half in _HALVES]
    seen = [float((portrait.usable * band).sum() / max(float(band.sum()), 1.0)) for band in bands]
    hidden = int(np.argmin(seen))
    if seen[hidden] >= _HIDDEN or seen[1 - hidden] < _SEEN:
        return portrait
    return _drawn(portrait, bands[hidden])


def _band(brow: np.ndarray, size: int) -> np.ndarray:
    """Return (size, size) float32 in [0, 1]: a brow, of points (5, 2), and the skin around it."""
    band = np.zeros((size, size), np.float32)
    line = np.rint(brow * size - 0.5).astype(np.int32)
    cv2.polylines(band, [line], isClosed=False, color=1.0, thickness=max(1, round(2 * _WIDTH * size)))
    return cv2.GaussianBlur(band, (0, 0), _WIDTH / 4 * size)


def _drawn(portrait: Portrait, band: np.ndarray) -> Portrait:
    other = mirrored_onto(portrait)
    share = band * other.usable * (1 - portrait.usable)
    around = cv2.dilate(band, disc(2 * _WIDTH * band.shape[0]))
    lit = other.image * _gain(portrait, other.image, around * other.usable)
    usable = portrait.usable + share
    part = share / np.maximum(usable, 1e-3)  # by what may be used: the hair around the brow is not mixed in
    picture = portrait.image + part[..., None] * (np.clip(lit, 0, 255) - portrait.image)
    return replace(portrait, image=np.rint(picture).astype(np.uint8), usable=np.minimum(usable, 1).astype(np.float32))


def _gain(portrait: Portrait, image: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Return (3,): what brings the mirror image to the portrait's colours, measured where both show skin."""
    weight = (where * portrait.usable)[..., None]
    ours, theirs = ((weight * each).sum(axis=(0, 1)) for each in (portrait.image, image))
    gain: np.ndarray = np.clip((ours + 1) / (theirs + 1), *_GAIN)
    return gain
