"""Say what of a face is seen in a crop, and what lies before it, from what its pixels are (between parsing and masks).

A hand is half skin to a parser: pixels that it half takes for something else count as covered where they touch some
that it is sure of. Shares are (P, P) float32 in [0, 1] at the parser's own side; crops are those it has looked at.
"""

import cv2
import numpy as np

from ..types import Crop
from .align import transform
from .parse import FACE_CLASSES, GLASSES, class_share, disc, main_part
from .soft import BAND, SURE, UNSURE, soft_step

FOREIGN_CLASSES = (0, 16)  # background, under which parsers put hands and things, and cloth
COVER_CLASSES = (*FOREIGN_CLASSES, 18)  # and hats

_EYE = 0.38  # radius of an eye with its brow, as a share of the way from the eyes to the mouth
_BROW = 0.15  # how far above the eye their middle lies, the same way
_ALONE = 0.25  # share of face around an eye: what has less is no eye, what has twice as much is one
_COVER = 0.5  # share of the cover's classes from which something is surely there,
_DOUBT = 0.15  # and from which what joins it begins to be that too
# Of a face, in ways from the eyes to the mouth: how far its middle lies below the eyes, and its half-axes.
MIDDLE, HALF = 0.45, (1.1, 0.85)


def face_probability(class_probs: np.ndarray) -> np.ndarray:
    """Return (S, S) float32: the share of the face's classes, of (19, S, S)."""
    return class_share(class_probs, FACE_CLASSES)


def visible_face(crop: Crop) -> np.ndarray:
    """Return (P, P) float32: the share of each pixel that is face."""
    face = face_probability(classes_of(crop))
    eyes = _eyes(crop, classes_of(crop), face)
    return main_part(np.maximum(face, eyes)) * (1 - within_face(crop, len(face)) * _covers(classes_of(crop), eyes))


def covered(crop: Crop) -> np.ndarray:
    """Return (P, P) float32 in [0, 1]: where something lies before or beside the face of a crop a parser looked at."""
    class_probs = classes_of(crop)
    return _covers(class_probs, _eyes(crop, class_probs, face_probability(class_probs)))


def visible_share(crop: Crop) -> float:
    """Return how much of what lies between eyes and mouth is face, and not covered, in a crop a parser looked at."""
    seen = visible_face(crop)
    corners = (transform(crop.face.points.astype(np.float64), crop.to_crop) + 0.5) * (len(seen) / len(crop.image)) - 0.5
    between = np.zeros_like(seen)
    cv2.fillConvexPoly(between, cv2.convexHull(np.rint(corners).astype(np.int32)), 1.0)
    return float((between * seen).sum() / max(float(between.sum()), 1.0))


def within_face(crop: Crop, size: int) -> np.ndarray:
    """Return (size, size) float32: 1 within a face, 0 along its outline, where there is always some doubt."""
    eyes, up = _upright(crop, size)
    rows, columns = np.ogrid[:size, :size]
    x, y = eyes.mean(axis=0) - MIDDLE * up
    length = max(float(np.linalg.norm(up)), 1.0)
    right, down = up / length
    along, across = (columns - x) * right + (rows - y) * down, (rows - y) * right - (columns - x) * down
    distance = np.sqrt((along / HALF[0]) ** 2 + (across / HALF[1]) ** 2) / length
    return np.clip((1 - distance) / BAND, 0, 1).astype(np.float32)


def _covers(class_probs: np.ndarray, eyes: np.ndarray) -> np.ndarray:
    """Return (P, P) float32 in [0, 1]: what is no face (hair aside), of (19, P, P), but for eyes (P, P).

    Two thresholds with hysteresis, as for Canny's edges: doubtful pixels count where they are connected to sure ones,
    since a parser doubts shaded halves of faces too. Connected parts that touch an eye or glasses and not the crop's
    border are shadows or glints, and no covers.
    """
    foreign = class_share(class_probs, COVER_CLASSES) * (1 - eyes)
    count, parts = cv2.connectedComponents((foreign > _DOUBT).astype(np.uint8), connectivity=4)
    sockets = cv2.dilate(np.maximum(eyes, class_share(class_probs, (GLASSES,))), disc(UNSURE)) > 0.5
    outside = np.concatenate([parts[[0, -1]].ravel(), parts[:, [0, -1]].ravel()])
    is_cover = np.zeros(count, bool)
    is_cover[parts[foreign > _COVER]] = True
    is_cover[np.setdiff1d(parts[sockets], outside)] = False
    is_cover[0] = False
    return (is_cover[parts] * np.clip((foreign - _DOUBT) / (_COVER - _DOUBT), 0, 1)).astype(np.float32)


def _eyes(crop: Crop, class_probs: np.ndarray, face: np.ndarray) -> np.ndarray:
    """Return (S, S) float32: how surely each pixel belongs to an eye or its brow and nothing covers it.

    A parser may take a shaded eye for hair in one frame and not in the next, and flicker at an eye is seen at once. So
    an eye counts as seen where enough of the ring around it is face: a hand over an eye hides the ring too, and so does
    hair.
    """
    size = face.shape[0]
    eyes, up = _upright(crop, size)
    radius = _EYE * float(np.linalg.norm(up))
    doubtful = np.clip((SURE + BAND - class_share(class_probs, FOREIGN_CLASSES)) / BAND, 0, 1)
    rows, columns = np.ogrid[:size, :size]
    free = np.zeros_like(face)
    for x, y in eyes + _BROW * up:
        distance = ((columns - x) ** 2 + (rows - y) ** 2) / max(radius, 1) ** 2
        ring = face[(distance > 1) & (distance < 1.6**2)]
        around = float(ring.mean()) if ring.size else 0.0
        near, surrounded = soft_step(around, _ALONE), soft_step(around, 2 * _ALONE)
        free = np.maximum(free, (distance <= 1) * np.maximum(near * doubtful, surrounded))
    return free.astype(np.float32)


def _upright(crop: Crop, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a face's eyes (2, 2) and the way (2,) from its mouth to them, in pixels of a picture of that side."""
    points = transform(crop.face.points.astype(np.float64), crop.to_crop) * (size / crop.image.shape[0])
    return points[:2], points[:2].mean(axis=0) - points[3:].mean(axis=0)


def classes_of(crop: Crop) -> np.ndarray:
    """Return (19, P, P) float32: the share of each class."""
    assert crop.class_probs is not None, "a parser looks at crops before they are masked"
    return crop.class_probs
