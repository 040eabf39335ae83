"""A portrait's open mouth is shut over a shut one: lips where teeth were, and the target's line between them."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from faceswap_cli.portrait.corrections.close_mouth import CloseMouth, LipLine
from faceswap_cli.portrait.corrections.source_mouth import ClosedMouth
from faceswap_cli.portrait.corrections.warp_views import blend
from faceswap_cli.portrait.landmarks import OPENING
from faceswap_cli.portrait.mouth import MouthGauge, shut_share
from faceswap_cli.portrait.records import FaceState, Portrait
from faceswap_cli.portrait.regions import polygon
from faceswap_cli.portrait.source import prepared
from faceswap_cli.stages.parse import LIPS, MOUTH
from faceswap_cli.types import Crop, Face
from tests.test_portrait_fitter import SIZE, face_points

SKIN, RED, TEETH = (200, 160, 140), (180, 50, 60), (240, 240, 235)
MIDDLE = round(0.76 * SIZE), SIZE // 2  # of the mouth


def portrait(teeth: bool) -> Portrait:
    points = face_points()
    image, valid_mask = np.full((SIZE, SIZE, 3), SKIN, np.uint8), np.ones((SIZE, SIZE), np.float32)
    image[polygon(cv2.convexHull(points[48:66]), SIZE) > 0] = RED
    if teeth:
        mouth = cv2.dilate(polygon(points[OPENING], SIZE), np.ones((3, 3), np.uint8)) > 0
        image[mouth], valid_mask[mouth] = TEETH, 0
    return Portrait(image, valid_mask, points)


def classes(opening: float) -> np.ndarray:
    """What a parser says of a mouth that is open by so large a share of its width."""
    width = float(np.linalg.norm(np.subtract(face_points()[58], face_points()[62])))
    rows, columns = (np.indices((SIZE, SIZE), np.float32) + 0.5) / SIZE
    shares = np.zeros((19, SIZE, SIZE), np.float32)
    across = np.abs(columns - 0.5) < width / 2
    shares[MOUTH] = across * np.clip((opening * width / 2 - np.abs(rows - 0.76)) * SIZE + 0.5, 0, 1) * (opening > 0)
    shares[LIPS[0]] = across * (np.abs(rows - 0.73) < 0.02)
    return shares


def closed(source: Portrait) -> np.ndarray:
    """The layers of a portrait with its mouth shut."""
    variant = ClosedMouth().closed(source)
    assert variant is not None
    return variant.layers


def closing(source: Portrait, class_probs: np.ndarray | None) -> float:
    """How far its mouth is shut over a face of such a mouth."""
    nobody = Face(np.zeros(4, np.float32), np.zeros((5, 2), np.float32), 1.0)
    mouth = None if class_probs is None else MouthGauge().measure(face_points(), class_probs)
    return (
        CloseMouth()
        .apply(FaceState(source, Crop(source.image, np.eye(2, 3), nobody), face_points(), mouth=mouth))
        .closing
    )


def test_teeth_become_lips() -> None:
    result = closed(portrait(teeth=True))
    assert np.abs(result[MIDDLE][:3].astype(int) - RED).max() < 30
    assert result[MIDDLE][3] > 0.95 * 255
    np.testing.assert_array_equal(result[: SIZE // 2, :, :3], portrait(teeth=True).image[: SIZE // 2])
    np.testing.assert_array_equal(result[: SIZE // 2, :, 3], 255)


def test_a_shut_mouth_stays() -> None:
    assert ClosedMouth().closed(portrait(teeth=False)) is None


@pytest.mark.parametrize(("opening", "wanted"), [(0.0, 1.0), (0.05, 0.5), (0.2, 0.0)])
def test_how_shut_a_mouth_is_is_told_by_the_parser(opening: float, wanted: float) -> None:
    mouth = MouthGauge().measure(face_points(), classes(opening))
    assert shut_share(mouth.aspect_ratio) == pytest.approx(wanted, abs=0.3)


def test_the_line_between_lips_runs_from_corner_to_corner_and_no_further() -> None:
    drawn = LipLine().line(face_points(), SIZE)
    assert drawn[MIDDLE] > 0.6
    assert drawn[MIDDLE[0], round(0.43 * SIZE)] > 0.5
    assert drawn[MIDDLE[0], : round(0.35 * SIZE)].max() < 0.01
    assert drawn[MIDDLE[0] + round(0.04 * SIZE), MIDDLE[1]] < 0.05


def test_an_open_mouth_is_shut_as_far_as_the_targets_is_and_no_other() -> None:
    open_mouth, shut_mouth = (prepared(portrait(teeth)) for teeth in (True, False))
    assert closing(open_mouth, classes(0.0)) == 1
    assert closing(open_mouth, classes(0.3)) == 0
    assert closing(open_mouth, None) == 0
    assert closing(shut_mouth, classes(0.0)) == 0
    valid = [int(blend(open_mouth.views[0], share, 0.0, 0.0)[MIDDLE][3]) for share in (0.0, 0.5, 1.0)]
    assert valid[0] == 0
    assert valid[0] < valid[1] < valid[2] == 255


def test_at_any_size() -> None:
    one = portrait(teeth=True)
    large = replace(
        one,
        image=cv2.resize(one.image, (2 * SIZE, 2 * SIZE), interpolation=cv2.INTER_NEAREST),
        valid_mask=cv2.resize(one.valid_mask, (2 * SIZE, 2 * SIZE), interpolation=cv2.INTER_NEAREST),
    )
    assert np.abs(closed(large)[2 * MIDDLE[0], 2 * MIDDLE[1], :3].astype(int) - RED).max() < 30
