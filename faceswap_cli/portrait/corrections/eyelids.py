"""Move eyelids to where the parser sees them.

The points' teacher hardly sees how wide an eye is open: of a wide one its lids lie inside the eye, of a narrow one
outside, and a portrait laid by them opens or shuts the target's eyes. The parser's eye classes end at the lids. Their
edges are found to a part of a pixel: how much of a column is eye is the eye's height there.
"""

import numpy as np

from ...stages.parse import EYES as EYE_CLASSES
from ...stages.parse import class_share
from ..landmarks import EYES

_LIDS = ((1, 5), (2, 4))  # of an eye's six points: those of the upper lid, and below each that of the lower
_REACH = 0.5  # of the eye's width: how far above and below its points the eye is looked for
_OPEN = 0.06  # of the eye's width: a gap from which the parser alone is believed; below it sees no eye, or a shut one


def set_lids(points: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Return points (66, 2), shares of the side, their lids moved up and down to the eyes of classes (19, P, P)."""
    share = class_share(shares, EYE_CLASSES)
    moved = points.copy()
    for eye in EYES:
        width = float(np.linalg.norm(points[eye][0] - points[eye][3]))
        for pair in _LIDS:
            lids = [eye.start + number for number in pair]
            height, middle = column(share, points[lids].mean(axis=0), _REACH * width)
            trust = min(height / max(_OPEN * width, 1e-6), 1.0)
            edges = np.array([middle - height / 2, middle + height / 2])
            moved[lids, 1] += trust * (edges - points[lids, 1])
    return moved


def column(share: np.ndarray, place: np.ndarray, reach: float) -> tuple[float, float]:
    """Return how much of the column through a place (2,), within `reach` of it, is shared (P, P), and its middle."""
    size = share.shape[0]
    x, y = map(float, place)
    across = float(np.clip(x * size - 0.5, 0, size - 1.001))
    left, part = int(across), across - int(across)
    rows = (np.arange(size) + 0.5) / size
    shares = ((1 - part) * share[:, left] + part * share[:, left + 1]) * (np.abs(rows - y) <= reach)
    total = float(shares.sum())
    return total / size, float((shares * rows).sum()) / total if total > 0 else y
