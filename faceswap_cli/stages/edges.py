"""Set eyelids and lips where the parser sees them.

The points' teacher hardly sees how wide an eye is open and takes a pouting mouth for a resting one, so a portrait laid
by its points alone opens eyes and shuts mouths. The parser's classes end at lids and lips. Edges are found to a part of
a pixel: how much of a column is eye is the eye's height there.
"""

import cv2
import numpy as np

from .parse import EYES as EYE_CLASSES
from .parse import LOWER_LIP, MOUTH, UPPER_LIP, class_share
from .points import EYES, LEFT_CORNER, LIP_LINES, LIPS, RIGHT_CORNER

_LIDS = ((1, 5), (2, 4))  # of an eye's six points: those of the upper lid, and below each that of the lower
_REACH = 0.5  # of the width of an eye or mouth: how far around its points it is looked for
_OPEN = 0.06  # of the eye's width: a gap from which the parser alone is believed; below it sees no eye, or a shut one

_LEAST, _ENOUGH = 0.35, 0.6  # of the area within the points: lips that are seen less are covered, or not there


def set_edges(points: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """Return points (66, 2), shares of the side, with lids and lips as the classes in (19, P, P) logits have them."""
    moved = points.copy()
    _set_lids(moved, class_share(logits, EYE_CLASSES))
    _set_lips(moved, np.stack([class_share(logits, (each,)) for each in (UPPER_LIP, MOUTH, LOWER_LIP)]))
    return moved


def _set_lids(points: np.ndarray, share: np.ndarray) -> None:
    """Move the lids up and down to the edges of what is eye, (P, P)."""
    for eye in EYES:
        width = float(np.linalg.norm(points[eye][0] - points[eye][3]))
        for pair in _LIDS:
            upper, lower = (eye.start + number for number in pair)
            x, y = points[[upper, lower]].mean(axis=0)
            near = _near(share.shape[0], y, _REACH * width)
            (height,), middle = _extents(share[None] * near, x)
            trust = min(height / max(_OPEN * width, 1e-6), 1.0)
            edges = np.array([middle - height / 2, middle + height / 2])
            points[[upper, lower], 1] += trust * (edges - points[[upper, lower], 1])


def _set_lips(points: np.ndarray, shares: np.ndarray) -> None:
    """Move the mouth to where upper lip, opening and lower lip are seen, (3, P, P)."""
    size = shares.shape[1]
    lips = points[LIPS]
    width = float(np.ptp(lips[:, 0]))
    columns = _near(size, float(lips[:, 0].mean()), (0.5 + _REACH) * width)
    rows = _near(size, float(lips[:, 1].mean()), (0.5 + _REACH) * width)
    shares = shares * rows * columns.T
    area = cv2.contourArea(points[[LEFT_CORNER, *LIP_LINES[0], RIGHT_CORNER, *LIP_LINES[3]]])
    trust = np.clip((shares.sum() / size**2 / max(area, 1e-6) - _LEAST) / (_ENOUGH - _LEAST), 0, 1)
    if trust == 0:
        return
    corners = _corners(shares.sum(axis=0))
    if corners is None:
        return
    found = points.copy()
    found[[LEFT_CORNER, RIGHT_CORNER]] = corners
    span = points[RIGHT_CORNER, 0] - points[LEFT_CORNER, 0]
    for number, line in enumerate(LIP_LINES):
        for point in line:
            along = np.clip((points[point, 0] - points[LEFT_CORNER, 0]) / max(span, 1e-6), 0.1, 0.9)
            x = (1 - along) * corners[0, 0] + along * corners[1, 0]
            heights, middle = _extents(shares, x)
            found[point] = x, middle - heights.sum() / 2 + heights[:number].sum()
    points[LIPS] += trust * (found[LIPS] - points[LIPS])


def _corners(share: np.ndarray) -> np.ndarray | None:
    """Return the left and right end (2, 2) of what is mouth, (P, P), shares of the side; None where nothing is."""
    most = share.max(axis=0)
    inside = np.flatnonzero(most > 0.5)
    if len(inside) < 3 or inside[0] == 0 or inside[-1] == len(most) - 1:
        return None
    ends = []
    for last, step in ((inside[0], -1), (inside[-1], 1)):
        part = (most[last] - 0.5) / max(most[last] - most[last + step], 1e-6)
        x = (last + step * part + 0.5) / len(most)
        ends.append((x, _extents(share[None], (last - step + 0.5) / len(most))[1]))
    return np.array(ends)


def _near(size: int, centre: float, reach: float) -> np.ndarray:
    """Return (size, 1) float32: 1 for the rows within `reach` of `centre`, 0 for others."""
    rows = (np.arange(size, dtype=np.float32) + 0.5) / size
    return (np.abs(rows - centre) <= reach).astype(np.float32)[:, None]


def _extents(shares: np.ndarray, x: float) -> tuple[np.ndarray, float]:
    """Return how tall each of some shares (N, P, P) is in the column at `x`, (N,), and the middle of them all."""
    size = shares.shape[1]
    place = np.clip(x * size - 0.5, 0, size - 1.001)
    left, part = int(place), place - int(place)
    columns = (1 - part) * shares[:, :, left] + part * shares[:, :, left + 1]
    whole = columns.sum(axis=0)
    rows = (np.arange(size) + 0.5) / size
    return columns.sum(axis=1) / size, float((whole * rows).sum() / max(float(whole.sum()), 1e-6))
