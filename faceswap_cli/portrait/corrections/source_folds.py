"""Smooth the folds of a smile where the target does not smile.

A portrait that smiles has deep folds from the nose past the corners of the mouth. Squeezed over a mouth at rest they
look carved, and make any face old. What is darker there than the skin on both sides is filled with that skin's colour,
and the sharp line at its bottom with skin as rough as around; stubble and beards, dark all over, stay.
"""

import cv2
import numpy as np

from ...stages.parse import disc
from ...types import Portrait
from ..landmarks import EYES, FRACTION, MOUTH_CORNERS, NOSE, fixed_point, polygon

_WINGS = (31, 35)  # of the nose, above either corner of the mouth
_OUTWARDS = (-1, 1)
_SMILE = 0.15  # mouth's width over the distance of the eyes: more by so much than the target's, and all folds go
_SHARE = 0.95  # of a fold's depth that is filled: some of it is the face's own
_WIDE = 0.03  # share of the side: half the widest fold
_FINE, _EVEN = 0.004, 0.008  # shares of the side: pores finer than the first stay; the filling is as even as the second
_DEEP = 8.0  # levels of 255 beyond the usual depth from which skin is wholly a fold
_ROUGH = 2.0  # times the usual depth of pores: a fine line in a fold is no deeper
_AROUND = (0.006, 0.004)  # shares of the side by which a fold's line is widened, and how softly
_ZONE, _SOFT = 0.12, 0.02  # shares of the side: how wide the zone of a fold is, how soft its edge
_NOSTRIL = 0.012  # share of the side by which the nose is larger than its points
_AWAY = 0.045  # share of the side by which folds lie outside of nose and mouth


def excess(portrait: np.ndarray, target: np.ndarray) -> float:
    """Return how much more a face smiles than another, in [0, 1], by points (66, 2) of both."""
    return float(np.clip((_smile(portrait) - _smile(target)) / _SMILE, 0, 1))


def smoothed(portrait: Portrait) -> np.ndarray:
    """Return the portrait's picture (S, S, 3) uint8 without the folds of its smile."""
    size = portrait.image.shape[0]
    picture = portrait.image.astype(np.float32)
    seen = cv2.GaussianBlur(picture, (0, 0), _FINE * size)
    filled = cv2.morphologyEx(seen, cv2.MORPH_CLOSE, disc(_WIDE * size))
    depth = np.maximum(cv2.GaussianBlur(filled, (0, 0), _EVEN * size) - seen, 0)
    zone = _zone(portrait.points, size)
    if not (zone > 0.5).any():  # points in a heap, which are no face
        return portrait.image
    deeper = np.maximum(depth - np.median(depth[zone > 0.5], axis=0), 0)  # than stubble, which is as deep as a fold
    fine = picture - seen
    least = -_ROUGH * np.median(np.abs(fine[zone > 0.5]), axis=0)
    smoother = np.clip(2 * zone - 0.3, 0, 1) * _lines(deeper.mean(axis=2), size)
    lighter = picture + smoother[..., None] * np.maximum(least - fine, 0) + _SHARE * zone[..., None] * deeper
    return np.rint(np.minimum(lighter, 255)).astype(np.uint8)


def _lines(depth: np.ndarray, size: int) -> np.ndarray:
    """Return (size, size) float32 in [0, 1]: where folds so deep are, and close around."""
    wider, softly = _AROUND
    there = cv2.dilate(np.clip(depth / _DEEP, 0, 1), disc(wider * size))
    return cv2.GaussianBlur(there, (0, 0), softly * size)


def _smile(points: np.ndarray) -> float:
    """Return how wide the mouth is, over the distance of the eyes: what a smile changes most."""
    eyes = [points[eye].mean(axis=0) for eye in EYES]
    mouth = points[list(MOUTH_CORNERS)]
    return float(np.linalg.norm(mouth[0] - mouth[1])) / max(float(np.linalg.norm(eyes[0] - eyes[1])), 1e-6)


def _zone(points: np.ndarray, size: int) -> np.ndarray:
    """Return (size, size) float32 in [0, 1]: along both folds, from above the nose's wings to below the mouth.

    The nose, whose nostrils are dark, is no part of it.
    """
    zone = np.zeros((size, size), np.float32)
    for wing, corner, side in zip(_WINGS, MOUTH_CORNERS, _OUTWARDS, strict=True):
        nose, mouth = points[wing], points[corner]
        down, out = mouth - nose, np.array([side * _AWAY, 0])
        below = mouth + 0.9 * out + np.array([0.1, 0.55]) * down
        path = np.array([nose - 0.1 * down + 0.6 * out, nose + 0.5 * down + 1.6 * out, mouth + 1.4 * out, below])
        cv2.polylines(zone, [fixed_point(path * size)], False, 1.0, round(_ZONE * size), cv2.LINE_8, FRACTION)
    nose = cv2.dilate(polygon(cv2.convexHull(points[NOSE]), size), disc(_NOSTRIL * size))
    return cv2.GaussianBlur(zone, (0, 0), _SOFT * size) * (1 - cv2.GaussianBlur(nose, (0, 0), _NOSTRIL / 2 * size))
