"""Leave a target its beard: hair stays the target's, and half a beard is the first thing seen in a swap.

A portrait ends in the midst of a beard, smooth or with one of another shape and colour. Of the lower face of somebody
who wears one, only the lips are covered.
"""

import cv2
import numpy as np

from ...stages.parse import disc
from ...stages.past import Past, lately
from ...types import Crop
from ..landmarks import JAW, LIPS, NOSE_TIP, polygon

_SURE = (0.75, 0.95)  # a ramp: up to the first a face counts as smooth, from the second on as bearded
_DRAWN = 224  # side at which the lower face is drawn: its edges are soft
_EARS = slice(JAW.start + 2, JAW.stop - 2)  # points of the jaw from below one ear to below the other
_WINGS = (35, 33, 31)  # of the nose, and its root between them, from the picture's right
_UNDER = 0.2  # of the way from the nose's root to its tip: a moustache reaches under it
_CHEEK = 0.5  # of the way from the jaw to the nose's wing: how high a beard grows on a cheek there
_SOFT = 0.025  # share of the side: how soft the edge is
_LIPS, _LIPS_SOFT = 0.008, 0.01  # the same of lips: by how much they are larger than their points, and how soft


def bearded(crops: list[Crop], seen: list[float], past: Past | None) -> list[float]:
    """Return how far, in [0, 1], the face of each crop counts as bearded, by how surely it looks so (0..1 each).

    Where there is a past, by the mean of now and the frames before: whoever shaves does so out of sight.
    """
    if past is not None:
        seen = lately(past.beards, [crop.face.track for crop in crops], seen)
    low, high = _SURE
    return [float(np.clip((each - low) / (high - low), 0, 1)) for each in seen]


def grown(points: np.ndarray, size: int) -> np.ndarray:
    """Return (size, size) float32 in [0, 1]: where a face of these points (66, 2) would have a beard, lips left out."""
    jaw, nose = points[_EARS], points[list(_WINGS)] + _UNDER * (points[NOSE_TIP] - points[_WINGS[1]])
    cheeks = [end + _CHEEK * (wing - end) for end, wing in ((jaw[-1], nose[0]), (jaw[0], nose[-1]))]
    beard = polygon(np.vstack([jaw, cheeks[:1], nose, cheeks[1:]]), _DRAWN)
    lips = cv2.dilate(polygon(cv2.convexHull(points[LIPS]), _DRAWN), disc(_LIPS * _DRAWN))
    free = 1 - cv2.GaussianBlur(lips, (0, 0), _LIPS_SOFT * _DRAWN)
    soft = cv2.GaussianBlur(beard, (0, 0), _SOFT * _DRAWN) * free
    return cv2.resize(soft, (size, size), interpolation=cv2.INTER_LINEAR)
