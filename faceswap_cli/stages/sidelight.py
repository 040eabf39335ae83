"""Take light that comes from one side out of a portrait.

A cheek and a side of the nose in shade look like dirt on a face that is lit from elsewhere. Faces are nearly alike on
both sides, so what is darker than in the mirror image is in shade; it is made as light as that, pores and moles kept.
"""

from dataclasses import replace

import cv2
import numpy as np

from ..types import Portrait
from .mirror import mirrored_onto
from .parse import disc
from .points import ahead

_SHADE = 0.025  # share of the side: what is finer than this is no shade but skin
_TURNED, _AHEAD = 0.5, 0.7  # of `points.ahead`: up to the first nothing is done, from the second on all of it
_SHARE = 0.9  # of a shade that is taken away
_MOST = 1.6  # times as light as it was: more shows the noise of dark pixels
_CERTAIN = 0.1  # log of a ratio of brightness: a lesser shade is taken away in part
_RIM, _SOFT = 0.01, 0.015  # shares of the side: how far within its usable part a portrait is changed, and how softly
_DARK = 8.0  # levels of 255 added to brightness, so that black has no shades


def evened(portrait: Portrait) -> Portrait:
    """Return the portrait as light where it is in shade as in its mirror image; a turned one as it is."""
    strength = (ahead(portrait.points) - _TURNED) / (_AHEAD - _TURNED)
    if strength <= 0:
        return portrait
    size = portrait.image.shape[0]
    other = mirrored_onto(portrait)
    both = portrait.usable * other.usable
    shade = _brightness(other.image, both) - _brightness(portrait.image, both)
    inside = cv2.GaussianBlur(cv2.erode(both, disc(_RIM * size)), (0, 0), _SOFT * size) * np.minimum(2 * both, 1)
    share = _SHARE * min(strength, 1.0) * inside * np.clip(shade / _CERTAIN, 0, 1)
    lighter = portrait.image * np.exp(np.clip(share * shade, 0, np.log(_MOST)))[..., None]
    return replace(portrait, image=np.rint(np.minimum(lighter, 255)).astype(np.uint8))


def _brightness(image: np.ndarray, usable: np.ndarray) -> np.ndarray:
    """Return (S, S) float32: the log of how bright a picture (S, S, 3) uint8 is around each pixel that may be used."""
    logs = np.log(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32) + np.float32(_DARK))
    deviation = _SHADE * image.shape[0]
    total, share = (cv2.GaussianBlur(each, (0, 0), deviation) for each in (usable * logs, usable))
    around: np.ndarray = total / (share + np.float32(1e-3))
    return around
