"""Lids and lips lie where the parser sees them, and stay where it sees none."""

import cv2
import numpy as np
import pytest

from faceswap_cli.stages.edges import set_edges
from faceswap_cli.stages.parse import LOWER_LIP, MOUTH, UPPER_LIP
from faceswap_cli.stages.points import EYES, LEFT_CORNER, LIP_LINES, LIPS, RIGHT_CORNER
from faceswap_cli.stages.shape import OWN, likened

SIDE = 160
FINE = 8  # labels are drawn so many times larger and shrunk, for edges between pixels
EYE, LIP_Y, LIP_X = (0.07, 0.02), 0.72, 0.5


def face(*, lid: float = 0.012, half_width: float = 0.11, thickness: float = 0.03, gap: float = 0.01) -> np.ndarray:
    """Points of a face whose lids lie so far from the eyes' middle; lips of a thickness, and a gap between them."""
    points = np.random.default_rng(0).uniform(0.3, 0.7, (66, 2))
    for eye, x in zip(EYES, (0.35, 0.65), strict=True):
        points[eye] = [(x + dx, 0.45 + dy) for dx, dy in zip(
            (-0.07, -0.025, 0.025, 0.07, 0.025, -0.025), (0, -lid, -lid, 0, lid, lid), strict=True)]  # fmt: skip
    points[LEFT_CORNER], points[RIGHT_CORNER] = (LIP_X - half_width, LIP_Y), (LIP_X + half_width, LIP_Y)
    offsets = (-gap - thickness, -gap, gap, gap + thickness)
    for line, offset in zip(LIP_LINES, offsets, strict=True):
        along = np.linspace(-0.6, 0.6, len(line)) * half_width
        along = along if offset < 0 else along[::-1]
        points[list(line)] = np.column_stack([LIP_X + along, np.full(len(line), LIP_Y + offset)])
    return points.astype(np.float32)


def logits(drawn: dict[int, list[np.ndarray]]) -> np.ndarray:
    """What a parser would say of skin with some polygons, shares of the side, of other classes."""
    large = np.zeros((19, SIDE * FINE, SIDE * FINE), np.float32)
    large[1] = 1
    for label, polygons in drawn.items():
        for polygon in polygons:
            corners = np.rint(polygon * SIDE * FINE - 0.5).astype(np.int32)
            cv2.fillPoly(large[1], [corners], 0.0)
            cv2.fillPoly(large[label], [corners], 1.0)
    shares = np.stack([cv2.resize(each, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for each in large])
    return np.log(np.clip(shares, 1e-6, None))


def seen(points: np.ndarray) -> np.ndarray:
    """Draw eyes and lips as the points have them."""
    corner, other = points[[LEFT_CORNER]], points[[RIGHT_CORNER]]
    upper, above, below, lower = (points[list(line)] for line in LIP_LINES)
    return logits(
        {
            4: [points[EYES[0]]],
            5: [points[EYES[1]]],
            UPPER_LIP: [np.concatenate([corner, upper, other, above[::-1]])],
            MOUTH: [np.concatenate([corner, above, other, below])],
            LOWER_LIP: [np.concatenate([corner, below[::-1], other, lower])],
        }
    )


def test_points_that_are_right_stay() -> None:
    points = face()
    assert np.abs(set_edges(points, seen(points)) - points).max() < 0.006


def test_lids_go_where_the_eye_ends() -> None:
    lids = [number for eye in EYES for number in (eye.start + 1, eye.start + 2, eye.start + 4, eye.start + 5)]
    moved = set_edges(face(lid=0.012), seen(face(lid=0.025)))
    assert np.abs(moved[lids, 1] - face(lid=0.025)[lids, 1]).max() < 0.003


def test_an_eye_of_which_nothing_is_seen_keeps_its_lids() -> None:
    points = face()
    assert np.allclose(set_edges(points, logits({}))[EYES[0]], points[EYES[0]], atol=1e-5)


def test_a_pouting_mouth_becomes_narrow_and_opens() -> None:
    pouting = face(half_width=0.08, gap=0.025, thickness=0.035)
    moved = set_edges(face(), seen(pouting))
    assert np.abs(moved[LIPS] - pouting[LIPS]).max() < 0.012
    opening = moved[64, 1] - moved[60, 1]
    assert opening == pytest.approx(0.05, abs=0.004)


def test_lips_that_are_covered_keep_their_points() -> None:
    points = face()
    classes = seen(face(half_width=0.08))
    hidden = logits({0: [np.array([(0.3, 0.6), (0.7, 0.6), (0.7, 0.9), (0.3, 0.9)])]})
    assert np.array_equal(
        set_edges(points, np.where(np.arange(SIDE)[:, None] > 0.6 * SIDE, hidden, classes))[LIPS], points[LIPS]
    )


def test_a_face_of_the_sources_shape_keeps_it_however_it_is_turned() -> None:
    source = face()
    turned = source @ np.array([[0.9, 0.1], [-0.08, 0.95]], np.float32) + np.float32([0.02, 0.05])
    rest = np.delete(np.arange(66), LIPS)
    assert np.abs(likened(turned, source) - turned)[rest].max() < 1e-5


def test_the_nose_goes_part_of_the_way_to_the_sources_and_eyes_stay() -> None:
    target, source = face(), face()
    source[30] += np.float32([0, 0.04])
    moved = likened(target, source)
    assert 0.8 * OWN * 0.04 < moved[30, 1] - target[30, 1] < OWN * 0.04
    assert np.array_equal(moved[EYES[0]], target[EYES[0]])


def test_lips_take_the_sources_thickness_and_not_its_smile() -> None:
    target, source = face(gap=0.02, thickness=0.02), face(gap=0.0, thickness=0.04, half_width=0.15)
    moved = likened(target, source)
    inner = [*LIP_LINES[1], *LIP_LINES[2], LEFT_CORNER, RIGHT_CORNER]
    assert np.array_equal(moved[inner], target[inner])
    middle = LIP_LINES[3][2]
    assert 0.3 * 0.02 < moved[middle, 1] - target[middle, 1] < 0.7 * 0.02
