"""A portrait's open mouth is shut over a shut one: lips where teeth were, and the target's line between them."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from faceswap_cli.portrait.corrections.close_mouth import how_shut, line, shut
from faceswap_cli.portrait.landmarks import OPENING, polygon
from faceswap_cli.portrait.variants import Looks
from faceswap_cli.stages.parse import LIPS, MOUTH
from faceswap_cli.types import Portrait
from tests.test_portrait_fitter import SIZE, face_points

SKIN, RED, TEETH = (200, 160, 140), (180, 50, 60), (240, 240, 235)
MIDDLE = round(0.76 * SIZE), SIZE // 2  # of the mouth


def portrait(teeth: bool) -> Portrait:
    points = face_points()
    image, usable = np.full((SIZE, SIZE, 3), SKIN, np.uint8), np.ones((SIZE, SIZE), np.float32)
    image[polygon(cv2.convexHull(points[48:66]), SIZE) > 0] = RED
    if teeth:
        mouth = cv2.dilate(polygon(points[OPENING], SIZE), np.ones((3, 3), np.uint8)) > 0
        image[mouth], usable[mouth] = TEETH, 0
    return Portrait(image, usable, points)


def classes(opening: float) -> np.ndarray:
    """What a parser says of a mouth that is open by so large a share of its width."""
    width = float(np.linalg.norm(np.subtract(face_points()[58], face_points()[62])))
    rows, columns = (np.indices((SIZE, SIZE), np.float32) + 0.5) / SIZE
    shares = np.zeros((19, SIZE, SIZE), np.float32)
    across = np.abs(columns - 0.5) < width / 2
    shares[MOUTH] = across * np.clip((opening * width / 2 - np.abs(rows - 0.76)) * SIZE + 0.5, 0, 1) * (opening > 0)
    shares[LIPS[0]] = across * (np.abs(rows - 0.73) < 0.02)
    return shares


def test_teeth_become_lips() -> None:
    result = shut(portrait(teeth=True))
    assert np.abs(result.image[MIDDLE].astype(int) - RED).max() < 30
    assert result.usable[MIDDLE] > 0.95
    np.testing.assert_array_equal(result.image[: SIZE // 2], portrait(teeth=True).image[: SIZE // 2])
    np.testing.assert_array_equal(result.usable[: SIZE // 2], 1)


def test_a_shut_mouth_stays() -> None:
    one = portrait(teeth=False)
    assert shut(one) is one


@pytest.mark.parametrize(("opening", "wanted"), [(0.0, 1.0), (0.05, 0.5), (0.2, 0.0)])
def test_how_shut_a_mouth_is_is_told_by_the_parser(opening: float, wanted: float) -> None:
    assert how_shut(face_points(), classes(opening)) == pytest.approx(wanted, abs=0.3)
    assert how_shut(face_points(), None) == 0


def test_the_line_between_lips_runs_from_corner_to_corner_and_no_further() -> None:
    drawn = line(face_points(), SIZE)
    assert drawn[MIDDLE] > 0.7
    assert drawn[MIDDLE[0], round(0.43 * SIZE)] > 0.5
    assert drawn[MIDDLE[0], : round(0.35 * SIZE)].max() < 0.01
    assert drawn[MIDDLE[0] + round(0.04 * SIZE), MIDDLE[1]] < 0.05


def test_an_open_mouth_is_shut_as_far_as_the_targets_is_and_no_other() -> None:
    looks, points = Looks(portrait(teeth=True)), face_points()
    assert looks.closed(points, classes(0.0)) == 1
    assert looks.closed(points, classes(0.3)) == 0
    assert Looks(portrait(teeth=False)).closed(points, classes(0.0)) == 0
    usable = [int(looks.over(points, closed, 0.0)[MIDDLE][3]) for closed in (0.0, 0.5, 1.0)]
    assert usable[0] == 0
    assert usable[0] < usable[1] < usable[2] == 255


def test_at_any_size() -> None:
    one = portrait(teeth=True)
    large = replace(
        one,
        image=cv2.resize(one.image, (2 * SIZE, 2 * SIZE), interpolation=cv2.INTER_NEAREST),
        usable=cv2.resize(one.usable, (2 * SIZE, 2 * SIZE), interpolation=cv2.INTER_NEAREST),
    )
    assert np.abs(shut(large).image[2 * MIDDLE[0], 2 * MIDDLE[1]].astype(int) - RED).max() < 30
