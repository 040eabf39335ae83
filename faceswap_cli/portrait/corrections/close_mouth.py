"""Shut a portrait's mouth where the target's is shut.

Between the open lips of a portrait there is nothing to lay. Over a shut mouth the target's own lips would look out
there, pale or of another red; what is between is filled from the lips around it instead. Where shut lips meet stays the
target's: without that line they look like one.
"""

from dataclasses import replace

import cv2
import numpy as np

from ...stages.parse import disc
from ...types import Portrait
from ..landmarks import FRACTION, INNER_LIPS, LIPS, fixed_point, polygon
from .open_lips import openness

_SHUT, _OPEN = 0.02, 0.08  # openings, over the mouth's width: a mouth is shut up to the first, and not from the second
_LEAST = 2e-4  # share of the picture: of less it is not worth it
_DRAWN = 224  # side at which the filling is drawn: lips have little detail
_RIM = 0.006  # share of the side around teeth that is filled too: their edge is as pale
_REACH = 0.02  # share of the side from which its colours are taken
_SOFT = 0.005  # share of the side over which it begins
_LINE = 0.006  # share of the side: deviation of the bell across the line where lips meet


def shut(portrait: Portrait) -> Portrait:
    """Return the portrait with lips where its mouth is open; one whose mouth is shut, as it is."""
    size = portrait.image.shape[0]
    mouth = polygon(cv2.convexHull(portrait.points[LIPS]), size)
    gap = mouth * np.clip(2 * (1 - portrait.usable), 0, 1)
    if gap.mean() < _LEAST:
        return portrait
    filled = (cv2.dilate(gap, disc(_RIM * size)) * mouth > 0.1).astype(np.uint8)
    lips = inpainted(portrait.image, cv2.resize(filled, (_DRAWN, _DRAWN), interpolation=cv2.INTER_NEAREST))
    share = cv2.GaussianBlur(filled.astype(np.float32), (0, 0), _SOFT * size)
    image = portrait.image + share[..., None] * (lips.astype(np.float32) - portrait.image)
    usable = np.maximum(portrait.usable, np.maximum(share * mouth, gap))
    return replace(portrait, image=np.rint(image).astype(np.uint8), usable=usable)


def inpainted(image: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Return a picture (S, S, 3) uint8, as fine as `where` (P, P) uint8, filled where that is 1 by what is around."""
    small = cv2.resize(image, where.shape[::-1], interpolation=cv2.INTER_AREA)
    filled = cv2.inpaint(small, where, _REACH * len(where), cv2.INPAINT_TELEA)
    return cv2.resize(filled, image.shape[1::-1], interpolation=cv2.INTER_LINEAR)


def how_shut(points: np.ndarray, classes: np.ndarray | None) -> float:
    """Return how far the mouth of a face is shut, in [0, 1], by points (66, 2) and classes (19, P, P).

    Nothing is known of one that was not parsed: 0.
    """
    if classes is None:
        return 0.0
    return float(np.clip((_OPEN - openness(points, classes)) / (_OPEN - _SHUT), 0, 1))


def line(points: np.ndarray, size: int) -> np.ndarray:
    """Return (size, size) float32 in [0, 1]: where the lips of points (66, 2) meet."""
    middles = np.array([points[list(pair)].mean(axis=0) for pair in INNER_LIPS])
    drawn = np.zeros((_DRAWN, _DRAWN), np.float32)
    cv2.polylines(drawn, [fixed_point(middles * _DRAWN - 0.5)], False, 1.0, 1, cv2.LINE_8, FRACTION)
    deviation = _LINE * _DRAWN
    drawn = np.minimum(cv2.GaussianBlur(drawn, (0, 0), deviation) * deviation * np.sqrt(2 * np.pi), 1)
    return cv2.resize(drawn.astype(np.float32), (size, size), interpolation=cv2.INTER_LINEAR)
