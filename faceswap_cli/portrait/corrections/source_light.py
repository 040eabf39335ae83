"""Take light that comes from one side out of a portrait.

A cheek and a side of the nose in shade look like dirt on a face that is lit from elsewhere. Faces are nearly alike on
both sides, so what is darker than in the mirror image is in shade; it is made as light as that, pores and moles kept.
A shade ends where the picture gets lighter, so it is found as a guided filter (He et al. 2010) finds it; of a deep one,
where little but the camera's noise and a red cast is left, the mirror image is taken.
"""

from dataclasses import replace

import cv2
import numpy as np

from ...stages.parse import disc
from ...types import Portrait
from ..landmarks import ahead
from ..mirror import mirrored_onto

_SHADE = 0.025  # share of the side: what is finer than this is no shade but skin
_TONE = 0.05  # share of the side over which colours are averaged
_EDGE = 0.02  # variance of the log of brightness around a pixel, from which a shade ends where it does
_TURNED, _AHEAD = 0.3, 0.5  # of `points.ahead`: up to the first nothing is done, from the second on all of it
_SHARE = 0.9  # of a shade that is taken away
_CERTAIN = 0.1  # log of a ratio of brightness: a lesser shade is taken away in part
_TONED = 0.5  # the same: a shade that gets the lit side's cast wholly
_DEEP = (0.5, 0.9)  # the same: where deep shades begin, and those of which all is taken from the mirror image
_WIDER, _FADES = 0.012, 0.008  # shares of the side by which that reaches beyond them, and how softly
_RIM, _SOFT = 0.01, 0.015  # shares of the side: how far within its usable part a portrait is changed, and how softly
_DARK = 8.0  # levels of 255 added to brightness, so that black has no shades


def evened(portrait: Portrait) -> Portrait:
    """Return the portrait as light where it is in shade as in its mirror image; one turned far aside as it is."""
    strength = (ahead(portrait.points) - _TURNED) / (_AHEAD - _TURNED)
    if strength <= 0:
        return portrait
    size = portrait.image.shape[0]
    other = mirrored_onto(portrait)
    both = portrait.usable * other.usable
    ours, theirs = _brightness(portrait.image), _brightness(other.image)
    log = np.log(ours)
    around = _averaged(log, both, _SHADE)
    shade = _shade(log, around, _averaged(np.log(theirs), both, _SHADE), both)
    inside = cv2.GaussianBlur(cv2.erode(both, disc(_RIM * size)), (0, 0), _SOFT * size) * np.minimum(2 * both, 1)
    share = _SHARE * min(strength, 1.0) * inside * np.clip(shade / _CERTAIN, 0, 1)
    lift = np.maximum(share * shade, 0).astype(np.float32)
    tone, lit_tone = portrait.image / ours[..., None], _averaged(other.image / theirs[..., None], both, _TONE)
    toned = tone + np.minimum(lift / _TONED, 1)[..., None] * (lit_tone - _averaged(tone, both, _TONE))
    image = np.where(lift[..., None] > 0, np.exp(log + lift)[..., None] * toned, portrait.image)
    deep = np.clip((lift / min(strength, 1.0) - _DEEP[0]) / (_DEEP[1] - _DEEP[0]), 0, min(strength, 1.0))
    deep = cv2.GaussianBlur(cv2.dilate(deep, disc(_WIDER * size)), (0, 0), _FADES * size) * np.minimum(2 * both, 1)
    image += deep[..., None] * (other.image - image)
    return replace(portrait, image=np.rint(np.clip(image, 0, 255)).astype(np.uint8))


def _shade(ours: np.ndarray, around: np.ndarray, around_theirs: np.ndarray, usable: np.ndarray) -> np.ndarray:
    """Return (S, S): how much darker, in logs of brightness, a portrait is than its mirror image.

    It is a part of the portrait's own brightness, the same around each place, so that it ends where a shade does;
    twice the mean difference at most, as a fringe of light would be left otherwise.
    """
    darker = around_theirs - around
    mean = _averaged(darker, usable, _SHADE)
    together = _averaged(ours * darker, usable, _SHADE) - around * mean
    variance = _averaged(ours * ours, usable, _SHADE) - around * around
    slope = np.clip(together / (variance + _EDGE), -1, 0)
    found = _averaged(slope, usable, _SHADE) * ours + _averaged(mean - slope * around, usable, _SHADE)
    shade: np.ndarray = np.minimum(found, 2 * np.maximum(darker, 0))
    return shade


def _brightness(image: np.ndarray) -> np.ndarray:
    """Return (S, S) float32, no less than `_DARK`, of a picture (S, S, 3) uint8."""
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32) + np.float32(_DARK)


def _averaged(values: np.ndarray, usable: np.ndarray, deviation: float) -> np.ndarray:
    """Return values (S, S) or (S, S, C) averaged around each pixel, over a share of the side, where usable."""
    weights = usable.reshape(usable.shape + (1,) * (values.ndim - usable.ndim))
    deviation *= usable.shape[0]
    total = cv2.GaussianBlur((weights * values).astype(np.float32), (0, 0), deviation)
    share = cv2.GaussianBlur(usable, (0, 0), deviation) + np.float32(1e-3)
    around: np.ndarray = total / share.reshape(weights.shape)
    return around
