"""How a head is turned: rotated heads give back their angles."""

import numpy as np
import pytest

from faceswap_cli.evaluation.turn import HEAD, yaw_and_roll


def points_of(yaw: float, roll: float) -> np.ndarray:
    """Project the head, turned to the right and then leant clockwise, at 20 pixels a centimetre."""
    y, r = np.radians([yaw, roll])
    turn = np.array([[np.cos(y), 0, -np.sin(y)], [0, 1, 0], [np.sin(y), 0, np.cos(y)]])
    lean = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    return (20 * (HEAD @ (lean @ turn).T)[:, :2] + 100).astype(np.float32)


@pytest.mark.parametrize("yaw", [-50, -20, 0, 35])
def test_a_turned_head_gives_its_yaw(yaw: float) -> None:
    assert yaw_and_roll(points_of(yaw, 0)) == pytest.approx((yaw, 0), abs=0.1)


@pytest.mark.parametrize("roll", [-30, 12, 80])
def test_a_leaning_head_gives_its_roll(roll: float) -> None:
    assert yaw_and_roll(points_of(0, roll)) == pytest.approx((0, roll), abs=0.1)


def test_a_mirrored_face_looks_the_other_way() -> None:
    points = points_of(25, 10)
    mirrored = (points * (-1, 1) + (200, 0))[[1, 0, 2, 4, 3]]
    yaw, roll = yaw_and_roll(points)
    assert yaw_and_roll(mirrored) == pytest.approx((-yaw, -roll), abs=1e-3)
