"""Lips of an open mouth lie where the parser sees them; closed ones keep their points."""

import cv2
import numpy as np
import pytest

from faceswap_cli.portrait.corrections.open_lips import OpenLips
from faceswap_cli.stages.parse import LIPS, MOUTH

SIDE = 160
FINE = 8  # labels are drawn so many times larger and shrunk, for edges between pixels
UPPER, LOWER = (48, 49, 50, 51, 52), (57, 56, 55, 54, 53)  # from left to right
INNER_UPPER, INNER_LOWER = (59, 60, 61), (65, 64, 63)
CORNERS = [58, 62]


def mouth(gap: float, width: float = 0.24, lip: float = 0.03, at: tuple[float, float] = (0.5, 0.7)) -> np.ndarray:
    """Points of a face of which only the mouth matters: so wide, so far open, lips so thick."""
    points = np.random.default_rng(0).uniform(0.3, 0.6, (66, 2))
    x, y = at
    points[CORNERS] = [(x - width / 2, y), (x + width / 2, y)]
    for numbers, sign in ((UPPER, -1), (LOWER, 1)):
        across = np.linspace(-0.3, 0.3, len(numbers)) * width
        points[list(numbers)] = np.column_stack([x + across, y + sign * (gap / 2 + lip) * bow(across, width)])
    for numbers, sign in ((INNER_UPPER, -1), (INNER_LOWER, 1)):
        across = np.linspace(-0.25, 0.25, len(numbers)) * width
        points[list(numbers)] = np.column_stack([x + across, y + sign * gap / 2 * bow(across, width)])
    return points.astype(np.float32)


def bow(across: np.ndarray, width: float) -> np.ndarray:
    """How far from the middle line an ellipse's edge lies there, as a share of its height."""
    return np.sqrt(np.maximum(1 - (2 * across / width) ** 2, 0))


def seen(gap: float, width: float = 0.24, lip: float = 0.03, at: tuple[float, float] = (0.5, 0.7)) -> np.ndarray:
    """What a parser would say of such a mouth in a face that is skin."""
    large = np.zeros((19, SIDE * FINE, SIDE * FINE), np.float32)
    large[1] = 1
    scale = SIDE * FINE
    centre = (round(at[0] * scale), round(at[1] * scale))
    for labels, height in ((LIPS, gap / 2 + lip), ((MOUTH, MOUTH), gap / 2)):
        for label, angles in zip(labels, ((180, 360), (0, 180)), strict=True):
            axes = (round(width / 2 * scale), round(height * scale))
            half = np.zeros(large.shape[1:], np.uint8)
            cv2.ellipse(half, centre, axes, 0, *angles, 1, cv2.FILLED)
            large[:, half > 0] = 0
            large[label][half > 0] = 1
    return np.stack([cv2.resize(each, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for each in large])


def test_points_that_are_right_stay() -> None:
    points = mouth(gap=0.08)
    assert np.abs(OpenLips().moved(points, seen(gap=0.08)) - points).max() < 0.008


def test_a_round_mouth_is_as_open_and_narrow_as_it_is_seen() -> None:
    moved = OpenLips().moved(mouth(gap=0.04), seen(gap=0.1, width=0.18))
    true = mouth(gap=0.1, width=0.18)
    for numbers in (UPPER, LOWER, INNER_UPPER, INNER_LOWER, CORNERS):
        assert np.abs(moved[list(numbers)] - true[list(numbers)]).max() < 0.012


def test_a_mouth_beside_its_points_is_found() -> None:
    moved = OpenLips().moved(mouth(gap=0.06), seen(gap=0.08, at=(0.52, 0.72)))
    assert np.abs(moved[48:] - mouth(gap=0.08, at=(0.52, 0.72))[48:]).max() < 0.012


def test_closed_lips_keep_their_points() -> None:
    points = mouth(gap=0.03)
    assert np.array_equal(OpenLips().moved(points, seen(gap=0.0)), points)


@pytest.mark.parametrize("gap", [0.03, 0.04, 0.05])
def test_a_mouth_that_opens_goes_there_by_and_by(gap: float) -> None:
    before, after = (OpenLips().moved(mouth(gap=0.02), seen(gap=each)) for each in (gap, gap + 0.002))
    assert np.abs(after - before).max() < 0.01


def test_a_covered_mouth_and_eyes_and_nose_keep_their_points() -> None:
    points = mouth(gap=0.08)
    nothing = seen(gap=0.08, at=(-1.0, -1.0))
    assert np.array_equal(OpenLips().moved(points, nothing), points)
    assert np.array_equal(OpenLips().moved(points, seen(gap=0.12))[:48], points[:48])
