"""Give the target's own lips the source's colour where the source's lips cannot follow them.

Lips of a laugh are thin and drawn wide. Bent over a mouth that speaks or purses they are a line, and what the target
says can no longer be read; shut lips are smeared over a gaping mouth. There the target's own lips serve better: their
shape is what the target does, their colour what the source looks like.
"""

import math
from dataclasses import replace

import cv2
import numpy as np

from ...stages.parse import LIPS, around_share, class_share, disc
from ...types import Crop, Lips, Portrait
from ..landmarks import EYES, MOUTH_CORNERS, polygon
from ..landmarks import LIPS as LIP_POINTS
from .close_mouth import inpainted
from .open_lips import breadth, openness

# ramps: up to the first the source's lips serve, from the second on the target's
_LAUGHS = (0.06, 0.15)  # openings of the source's mouth, over its width, where the target's is shut
_WIDER = (0.08, 0.23)  # breadth, over the distance of the eyes, beyond the target's
_GAPES = (0.2, 0.3)  # openings of the target's mouth beyond the source's
_SHUT = (0.08, 0.02)  # openings of the target's: from the first on it shuts
_SEEN = (0.5, 0.8)  # breadth over the distance of the mouth's corners: less is seen of lips that something covers
_LEAST = 1e-4  # share of the picture: lips of fewer pixels have no colour
_RIM = 0.012  # share of the side around a mouth that is skin no more
_DRAWN = 224  # side at which skin is filled in
_SOFT, _EDGE = 0.005, 0.004  # shares of the side: how soft the edges of filled skin and of lips are
_DEPTH = 0.6  # power of the brightness of its lips: what is in shade there is not black on paler ones
_DARK = 4.0  # levels of 255 added to brightness, so that black lips have some


def lips_of(image: np.ndarray, points: np.ndarray, shares: np.ndarray) -> Lips | None:
    """Return what the lips in a crop (S, S, 3) uint8 look like, by its points (66, 2) and classes (19, P, P)."""
    lips = class_share(shares, LIPS)
    inside = np.clip(2 * lips - 1, 0, 1)
    if inside.mean() < _LEAST:
        return None
    small = cv2.resize(image, lips.shape[::-1], interpolation=cv2.INTER_AREA)
    colour = (inside[..., None] * small).sum(axis=(0, 1)) / inside.sum()
    return Lips(colour.astype(np.float32), _over_eyes(breadth(points, shares), points), openness(points, shares))


def unlike(lips: Lips, points: np.ndarray, classes: np.ndarray) -> float:
    """Return how far, in [0, 1], a target's lips serve better than a source's bent over them.

    The target's are given by points (66, 2) and classes (19, P, P).
    """
    opening = openness(points, classes)
    shut = _ramp(lips.opening, _LAUGHS) * _ramp(opening, _SHUT)
    broad = breadth(points, classes)
    wider = _ramp(lips.breadth - _over_eyes(broad, points), _WIDER)
    gapes = _ramp(opening - lips.opening, _GAPES)
    corners = float(np.linalg.norm(points[MOUTH_CORNERS[0]] - points[MOUTH_CORNERS[1]]))
    return _ramp(broad / max(corners, 1e-6), _SEEN) * max(shut, wider, gapes)


def without_mouth(portrait: Portrait) -> Portrait:
    """Return the portrait with skin where its mouth is."""
    size = portrait.image.shape[0]
    mouth = cv2.dilate(polygon(cv2.convexHull(portrait.points[LIP_POINTS]), size), disc(_RIM * size))
    small = cv2.resize(mouth, (_DRAWN, _DRAWN), interpolation=cv2.INTER_LINEAR)
    skin = inpainted(portrait.image, (small > 0).astype(np.uint8))
    share = cv2.GaussianBlur(mouth, (0, 0), _SOFT * size)
    image = portrait.image + share[..., None] * (skin.astype(np.float32) - portrait.image)
    usable = np.maximum(portrait.usable, share)
    return replace(portrait, image=np.rint(image).astype(np.uint8), usable=usable)


def with_own_lips(laid: np.ndarray, crop: Crop, lips: Lips, share: float) -> np.ndarray:
    """Return what is laid over a parsed crop, (S, S, 4) uint8, with so much of the crop's lips in another's colour."""
    assert crop.classes is not None
    size = crop.image.shape[0]
    where = cv2.resize(class_share(crop.classes, LIPS), (size, size), interpolation=cv2.INTER_LINEAR)
    if np.clip(2 * where - 1, 0, 1).mean() < _LEAST:
        return laid
    around = around_share(where, math.ceil(3 * _EDGE * size))
    result = laid.copy()
    part, where = result[around], where[around]
    inside = np.clip(2 * where - 1, 0, 1)
    brightness = cv2.cvtColor(crop.image[around], cv2.COLOR_RGB2GRAY).astype(np.float32) + np.float32(_DARK)
    usual = float((inside * brightness).sum() / inside.sum())
    coloured = np.minimum(((brightness / usual) ** _DEPTH)[..., None] * lips.colour, 255)
    weight = share * cv2.GaussianBlur(where, (0, 0), _EDGE * size)[..., None]
    part[..., :3] = np.rint(part[..., :3] + weight * (coloured - part[..., :3]))
    return result


def _over_eyes(width: float, points: np.ndarray) -> float:
    """Return a width, as a share of the side, over the distance of the eyes of points (66, 2)."""
    eyes = [points[eye].mean(axis=0) for eye in EYES]
    return width / max(float(np.linalg.norm(eyes[0] - eyes[1])), 1e-6)


def _ramp(value: float, ends: tuple[float, float]) -> float:
    return float(np.clip((value - ends[0]) / (ends[1] - ends[0]), 0, 1))
