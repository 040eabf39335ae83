"""Give a target's points a part of the source's own shape.

A portrait laid exactly by the target's points has the target's nose, brows and lips in all but colour, and people and
recognisers know faces by where these lie. Where head and lips move is the target's.
"""

import numpy as np

from .points import BROWS, LEFT_CORNER, LIP_LINES, NOSE, RIGHT_CORNER

OWN = 0.5  # share of the way to the source's shape: with all of it, turned faces go awry, as the fit below is flat
_STEADY = slice(0, 48)  # jaw, brows, nose, eyes: what lies still enough to tell how a head is turned


def likened(points: np.ndarray, origins: np.ndarray) -> np.ndarray:
    """Return the target's points (66, 2) float32 with nose, brows and the lips' thickness half way to the source's.

    `origins` (66, 2) are the source's points; they are brought to the target's by an affine map (least squares).
    """
    own = np.column_stack([origins, np.ones(len(origins))])
    turn = np.linalg.lstsq(own[_STEADY], points[_STEADY], rcond=None)[0]
    there = own @ turn
    moved = points.astype(np.float64)
    for part in (BROWS, NOSE):
        moved[part] += OWN * (there[part] - points[part])
    size = float(np.sqrt(abs(np.linalg.det(turn[:2]))))
    upper, upper_inner, lower_inner, lower = LIP_LINES
    for outer, inner in ((upper, upper_inner), (lower, lower_inner)):
        wanted = size * _thickness(origins, outer, inner)
        moved[list(outer), 1] += OWN * (wanted - _thickness(points, outer, inner))
    return moved.astype(np.float32)


def _thickness(points: np.ndarray, outer: tuple[int, ...], inner: tuple[int, ...]) -> np.ndarray:
    """Return how far each outer point of a lip lies below its inner edge, shares of the side; the upper above."""
    edge = points[[LEFT_CORNER, *inner, RIGHT_CORNER]]
    edge = edge[np.argsort(edge[:, 0])]
    x, y = points[list(outer)].T
    return y - np.interp(x, edge[:, 0], edge[:, 1])
