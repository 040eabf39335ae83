"""Tell which finds show one face: what is looked at in several ways is found more than once."""

import numpy as np

from ..types import Face

_SAME_FACE = 0.3  # overlap (IoU) from which two boxes show one face
_INSIDE = 0.8  # share of a weaker box inside a stronger one from which it is the same face at another scale
_SURER = (
    0.05  # score by which another way up shows a face better: upside down it scores 0.67, and 0.98 the right way up
)


def once(looks: list[list[Face]], known: list[Face]) -> list[Face]:
    """Return the faces of all looks that are none of those known, each as the first look with it shows it."""
    found: list[Face] = []
    for faces in looks:
        found += [face for face in faces if not any(is_same(face, other) for other in (*known, *found))]
    return found


def surest(turns: list[list[Face]]) -> list[Face]:
    """Return the faces of a picture seen several ways up, each the way it is surest: its points are right that way.

    A face that lies, seen as if it stood, has its eyes where its cheeks are; where scores hardly differ, the first way
    that shows it counts.
    """
    found: list[Face] = []
    for faces in turns:
        for face in faces:
            same = [other for other in found if is_same(face, other) or is_same(other, face)]
            if all(face.score > other.score + _SURER for other in same):
                found = [other for other in found if other not in same] + [face]
    return found


def is_same(weak: Face, strong: Face) -> bool:
    """Tell whether a find shows the face that a stronger one, or one known before, shows."""
    if overlap(weak, strong) > _SAME_FACE:
        return True
    return weak.score < strong.score and _shared(weak, strong) > _INSIDE * min(weak.area, strong.area)


def is_inside(face: Face, other: Face) -> bool:
    """Tell whether a box lies in another: in a large face, a tile may show an eye or a mouth as a face."""
    return _shared(face, other) > _INSIDE * face.area


def overlap(one: Face, other: Face) -> float:
    """Return the intersection over union of two boxes."""
    shared = _shared(one, other)
    return shared / max(one.area + other.area - shared, 1e-6)


def _shared(one: Face, other: Face) -> float:
    low, high = np.maximum(one.box[:2], other.box[:2]), np.minimum(one.box[2:], other.box[2:])
    return float(np.prod(np.maximum(high - low, 0)))
