"""Tell which detections show the same face: a picture that is searched in several ways gives a face more than once."""

import numpy as np

from ..types import Face
from .views import tilt

_SAME_FACE = 0.3  # overlap (IoU) from which two boxes show one face
_INSIDE = 0.8  # share of a weaker box inside a stronger one from which it is the same face at another scale
# Overlap from which a weaker find that leans otherwise by so many degrees is a false one: of faces that lie across each
# other one was seen in the other's ear and cheek.
_ACROSS, _LEANS_APART = 0.1, 60.0
# By how many degrees a face leans that outweigh a full point of score: at 60 it scores 0.04 less than at 30.
_DEGREES_A_POINT = 500.0


def once(looks: list[list[Face]], known: list[Face]) -> list[Face]:
    """Return the faces of all looks that are none of those known, each as the first look with it shows it."""
    found: list[Face] = []
    for faces in looks:
        found += [face for face in faces if not any(is_same(face, other) for other in (*known, *found))]
    return found


def surest(turns: dict[int, list[Face]]) -> list[Face]:
    """Return the faces of a picture seen several ways up, each the way it is seen best: its points are right that way.

    `turns` holds finds, in pixels of the picture, by the quarter turns it was seen in. A face seen upside down has its
    eyes where its mouth is, and a lower score; one that leans far has a score hardly lower, and points beside the mark.
    """
    found: list[tuple[Face, float]] = []  # with their merits
    for turn, faces in turns.items():
        merits = [(face, face.score - abs(tilt(face, turn)) / _DEGREES_A_POINT) for face in faces]
        better = [each for each in merits if all(each[1] > merit for _, merit in _same(each[0], found))]
        beaten = [each for face, _ in better for each in _same(face, found)]
        found = [each for each in found if each not in beaten] + better
    return [face for face, _ in found]


def _same(face: Face, found: list[tuple[Face, float]]) -> list[tuple[Face, float]]:
    return [each for each in found if is_same(face, each[0]) or is_same(each[0], face)]


def is_same(weak: Face, strong: Face) -> bool:
    """Tell whether a find shows the face that a stronger one, or one known before, shows."""
    common = overlap(weak, strong)
    if common > _SAME_FACE:
        return True
    if weak.score >= strong.score:
        return False
    inside = _shared(weak, strong) > _INSIDE * min(weak.area, strong.area)
    return inside or (common > _ACROSS and _leans_apart(weak, strong))


def is_inside(face: Face, other: Face) -> bool:
    """Tell whether a box lies in another: in a large face, a tile may show an eye or a mouth as a face."""
    return _shared(face, other) > _INSIDE * face.area


def overlap(one: Face, other: Face) -> float:
    """Return the intersection over union of two boxes."""
    shared = _shared(one, other)
    return shared / max(one.area + other.area - shared, 1e-6)


def _leans_apart(one: Face, other: Face) -> bool:
    """Tell whether two faces lean by more than `_LEANS_APART` degrees from each other."""
    return abs((tilt(one, 0) - tilt(other, 0) + 180) % 360 - 180) > _LEANS_APART


def _shared(one: Face, other: Face) -> float:
    low, high = np.maximum(one.box[:2], other.box[:2]), np.minimum(one.box[2:], other.box[2:])
    return float(np.prod(np.maximum(high - low, 0)))
