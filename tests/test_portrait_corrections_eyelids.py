"""Lids lie where the parser sees them."""

import cv2
import numpy as np

from faceswap_cli.portrait.corrections.eyelids import Eyelids
from faceswap_cli.portrait.landmarks import EYES

SIDE = 160
FINE = 8  # labels are drawn so many times larger and shrunk, for edges between pixels


def face(lid: float = 0.012) -> np.ndarray:
    """Points of a face whose lids lie so far from the eyes' middle."""
    points = np.random.default_rng(0).uniform(0.3, 0.7, (66, 2))
    across = np.array([-0.07, -0.025, 0.025, 0.07, 0.025, -0.025])
    down = np.array([0, -lid, -lid, 0, lid, lid])
    for eye, x in zip(EYES, (0.35, 0.65), strict=True):
        points[eye] = np.column_stack([x + across, 0.45 + down])
    return points.astype(np.float32)


def seen(points: np.ndarray) -> np.ndarray:
    """What a parser would say of skin with eyes as the points have them."""
    large = np.zeros((19, SIDE * FINE, SIDE * FINE), np.float32)
    large[1] = 1
    for label, eye in zip((4, 5), EYES, strict=True):
        corners = np.rint(points[eye] * SIDE * FINE - 0.5).astype(np.int32)
        cv2.fillPoly(large[1], [corners], 0.0)
        cv2.fillPoly(large[label], [corners], 1.0)
    return np.stack([cv2.resize(each, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for each in large])


def test_points_that_are_right_stay() -> None:
    points = face()
    assert np.abs(Eyelids().moved(points, seen(points)) - points).max() < 0.006


def test_lids_go_where_the_eye_ends() -> None:
    lids = [number for eye in EYES for number in (eye.start + 1, eye.start + 2, eye.start + 4, eye.start + 5)]
    moved = Eyelids().moved(face(lid=0.012), seen(face(lid=0.025)))
    assert np.abs(moved[lids, 1] - face(lid=0.025)[lids, 1]).max() < 0.003


def test_an_eye_of_which_nothing_is_seen_keeps_its_lids() -> None:
    points = face()
    assert np.allclose(Eyelids().moved(points, seen(points + 2))[EYES[0]], points[EYES[0]], atol=1e-5)
