"""Move the lips of an open mouth to where the parser sees them.

The points' teacher draws every mouth a little like the usual one: a round one too wide and too shut. The parser sees
lips and what shows between them. Closed lips keep their points: by the parser's outline they would be the target's in
every detail, and lips are a part of who somebody is.
"""

import numpy as np

from ...stages.parse import LIPS, MOUTH, class_share
from ..landmarks import INNER_LIPS, MOUTH_CORNERS, OPENING
from .eyelids import column

_OUTER = ((48, 57), (49, 56), (50, 55), (51, 54), (52, 53))  # on the upper lip's edge, and below each the lower's
_INNER = INNER_LIPS[1:-1]  # the same of the edge between which teeth show
_SHUT, _OPEN = 0.1, 0.25  # openings, over the mouth's width, below which points are believed, above which the parser
_REACH = 0.7  # of the mouth's width: how far from its points lips are looked for
_THICK = 0.03  # of the mouth's width: a column of lips of that height lies within the mouth
_SEEN = 0.4  # of the mouth's width: lips of which less is seen are covered
_CORNER = 0.04  # of the mouth's width over which the height of a corner is averaged


def set_lips(points: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Return points (66, 2), shares of the side, with the lips of an open mouth at those of classes (19, P, P)."""
    trust = np.clip((openness(points, shares) - _SHUT) / (_OPEN - _SHUT), 0, 1)
    if trust == 0:
        return points
    width = _width(points)
    upper, lower = (class_share(shares, (label,)) for label in LIPS)
    lips = upper + class_share(shares, (MOUTH,)) + lower
    moved = _stretched(points, lips, width)
    for pairs in (_OUTER, _INNER):
        for pair in map(list, pairs):
            place = np.array([moved[pair, 0].mean(), points[pair, 1].mean()])
            height, middle = column(lips, place, _REACH * width)
            if height < _THICK * width:
                continue
            top, bottom = middle - height / 2, middle + height / 2
            if pairs is _INNER:
                top += column(upper, place, _REACH * width)[0]
                bottom -= column(lower, place, _REACH * width)[0]
            moved[pair, 1] = top, bottom
    return (points + trust * (moved - points)).astype(np.float32)


def openness(points: np.ndarray, shares: np.ndarray) -> float:
    """Return how high the opening of a mouth is by classes (19, P, P), over its width by points (66, 2)."""
    width, opening = _width(points), class_share(shares, (MOUTH,))
    gap = max(column(opening, points[list(pair)].mean(axis=0), _REACH * width)[0] for pair in _INNER)
    return gap / max(width, 1e-6)


def breadth(points: np.ndarray, shares: np.ndarray) -> float:
    """Return how wide a mouth is by classes (19, P, P), in shares of the side; 0 where none is seen near its points."""
    return float(_present(points, class_share(shares, (MOUTH, *LIPS)))[1].mean())


def _present(points: np.ndarray, lips: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (P, P) bool, where lips (P, P) of these points are looked for, and (P,) in [0, 1], which columns show."""
    size, width = len(lips), _width(points)
    places = (np.arange(size) + 0.5) / size
    middle = points[list(MOUTH_CORNERS)].mean(axis=0)
    around = np.abs(places - middle[1])[:, None] <= _REACH * width
    around = around & (np.abs(places - middle[0]) <= _REACH * width)
    heights = (lips * around).sum(axis=0) / size
    return around, np.clip(heights / max(_THICK * width, 1e-6), 0, 1)


def _width(points: np.ndarray) -> float:
    return float(np.linalg.norm(points[MOUTH_CORNERS[0]] - points[MOUTH_CORNERS[1]]))


def _stretched(points: np.ndarray, lips: np.ndarray, width: float) -> np.ndarray:
    """Return points with the mouth's made as wide as lips (P, P) are, its corners at their ends."""
    places = (np.arange(len(lips)) + 0.5) / len(lips)
    middle = points[list(MOUTH_CORNERS)].mean(axis=0)
    around, present = _present(points, lips)
    found = float(present.mean())
    moved = points.copy()
    if found < _SEEN * width:
        return moved
    centre = float((present * places).sum() / present.sum())
    mouth = slice(min(_OUTER[0]), OPENING.stop)
    moved[mouth, 0] = centre + (points[mouth, 0] - middle[0]) * found / width
    for corner in MOUTH_CORNERS:
        near = lips * around * np.exp(-0.5 * ((places - moved[corner, 0]) / (_CORNER * width)) ** 2)
        if near.sum() > 0:
            moved[corner, 1] = (near.sum(axis=1) * places).sum() / near.sum()
    return moved
