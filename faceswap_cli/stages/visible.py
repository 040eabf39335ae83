"""Say what of a face is seen in a crop, and what lies before it, from what its pixels are (between parsing and masks).

What a parser half takes for a thing, beside one that it is sure of, is that thing: a hand is half skin to it. Shares
are (P, P) float32 in [0, 1] at the parser's own side; crops are those a parser has looked at.
"""

import cv2
import numpy as np

from ..types import Crop
from .align import transform
from .parse import FACE_CLASSES, GLASSES, class_share, disc, main_part

FOREIGN_CLASSES = (0, 16)  # background, under which parsers put hands and things, and cloth
COVER_CLASSES = (*FOREIGN_CLASSES, 18)  # and hats

_EYE = 0.38  # radius of an eye with its brow, as a share of the way from the eyes to the mouth
_BROW = 0.15  # how far above the eye their middle lies, the same way
_SURE = 0.9  # share of the foreign classes from which an eye may be taken as covered
_ALONE, _SURROUNDED = (0.2, 0.3), (0.4, 0.55)  # shares of face around an eye: what is less is no eye, what is more one
_COVER = 0.5  # share of the cover's classes from which something is surely there,
_DOUBT = (0.15, 0.45)  # and from which what joins it begins to be that too, and is it
_MIDDLE, _HALF = 0.45, (1.1, 0.85)  # of a face, in ways from the eyes to the mouth: middle below the eyes, half-axes
_RIM = 0.1  # share of those over which it ends
_BESIDE = 2  # pixels of the parser's


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
    x, y = eyes.mean(axis=0) - _MIDDLE * up
    length = max(float(np.linalg.norm(up)), 1.0)
    right, down = up / length
    along, across = (columns - x) * right + (rows - y) * down, (rows - y) * right - (columns - x) * down
    distance = np.sqrt((along / _HALF[0]) ** 2 + (across / _HALF[1]) ** 2) / length
    return np.clip((1 - distance) / _RIM, 0, 1).astype(np.float32)


def _covers(class_probs: np.ndarray, eyes: np.ndarray) -> np.ndarray:
    """Return (P, P) float32 in [0, 1]: what is no face (hair aside), of (19, P, P), but for eyes (P, P).

    A parser's doubt alone is none, half a face in shade is doubted: it counts where it joins what is surely something
    else (a hysteresis, as in Canny's edges). Nor is a hole beside an eye or glasses one: that is a shadow or a glint.
    """
    foreign, (low, high) = class_share(class_probs, COVER_CLASSES) * (1 - eyes), _DOUBT
    count, parts = cv2.connectedComponents((foreign > low).astype(np.uint8), connectivity=4)
    sockets = cv2.dilate(np.maximum(eyes, class_share(class_probs, (GLASSES,))), disc(_BESIDE)) > 0.5
    outside = np.concatenate([parts[[0, -1]].ravel(), parts[:, [0, -1]].ravel()])
    is_cover = np.zeros(count, bool)
    is_cover[parts[foreign > _COVER]] = True
    is_cover[np.setdiff1d(parts[sockets], outside)] = False
    is_cover[0] = False
    return (is_cover[parts] * np.clip((foreign - low) / (high - low), 0, 1)).astype(np.float32)


def _eyes(crop: Crop, class_probs: np.ndarray, face: np.ndarray) -> np.ndarray:
    """Return (S, S) float32: how surely each pixel belongs to an eye or its brow and nothing covers it.

    A parser may take a shaded eye for hair or for a thing in one frame and not in the next, and a swap that comes and
    goes there is the first thing one sees. A hand over an eye covers what lies around it too, and what is left of its
    place beside a band is hair.
    """
    size = face.shape[0]
    eyes, up = _upright(crop, size)
    radius = _EYE * float(np.linalg.norm(up))
    doubtful = np.clip((_SURE - class_share(class_probs, FOREIGN_CLASSES)) / (1 - _SURE), 0, 1)
    rows, columns = np.ogrid[:size, :size]
    free = np.zeros_like(face)
    for x, y in eyes + _BROW * up:
        distance = ((columns - x) ** 2 + (rows - y) ** 2) / max(radius, 1) ** 2
        ring = face[(distance > 1) & (distance < 1.6**2)]
        around = float(ring.mean()) if ring.size else 0.0
        near, surrounded = (np.clip((around - low) / (high - low), 0, 1) for low, high in (_ALONE, _SURROUNDED))
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
