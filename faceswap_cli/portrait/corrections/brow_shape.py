"""Give a target's points a part of the source's own shape.

A portrait laid exactly by the target's points has the target's brows in all but colour, and people and recognisers know
faces by where the brows lie. Nose and lips stay the target's: moving them moves the mouth.
"""

import numpy as np

from ..landmarks import BROWS

OWN = 0.15  # share of the way to the source's brows: they also tell a mood, which is the target's
STEADY = slice(0, 48)  # jaw, brows, nose, eyes: what lies still enough to tell how a head is turned


def likened(points: np.ndarray, origins: np.ndarray) -> np.ndarray:
    """Return the target's points (66, 2) float32 with brows a part of the way to the source's, `origins` (66, 2).

    These are brought to the target's by an affine map (least squares).
    """
    own = np.column_stack([origins, np.ones(len(origins))])
    turn = np.linalg.lstsq(own[STEADY], points[STEADY], rcond=None)[0]
    moved = points.astype(np.float64)
    moved[BROWS] += OWN * ((own @ turn)[BROWS] - points[BROWS])
    return moved.astype(np.float32)
