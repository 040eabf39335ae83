"""A portrait is blurred as far as its target is softer, and not at all where that is sharp."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from faceswap_cli.portrait.corrections.sharpness import Sharpness
from faceswap_cli.portrait.corrections.source_sharpness import Softness
from faceswap_cli.portrait.records import Portrait
from faceswap_cli.portrait.softness import SharpnessGauge, blurred
from tests.test_portrait_fitter import SIZE, face_points


def face(contrast: float = 1.0) -> np.ndarray:
    """A face with sharp brows, eyes, nostrils and lips, and some pores."""
    image = np.full((SIZE, SIZE, 3), (200, 160, 140), np.float32)
    image += np.random.default_rng(0).normal(0, 2, (SIZE, SIZE, 1))
    points = face_points()
    for part in (slice(17, 22), slice(22, 27), slice(36, 42), slice(42, 48), slice(48, 58)):
        place = np.rint(points[part] * SIZE).astype(np.int32)
        cv2.polylines(image, [place], part.start >= 36, (200 - 140 * contrast,) * 3, 3)
    for x in (0.3, 0.42, 0.58, 0.7):  # edges across: the nose's sides, folds
        top, bottom = (round(x * SIZE), round(0.4 * SIZE)), (round(x * SIZE), round(0.7 * SIZE))
        cv2.line(image, top, bottom, (200 - 140 * contrast,) * 3, 3)
    return np.clip(image, 0, 255).astype(np.uint8)


def blur_for(source: Portrait, target: np.ndarray, landmarks: np.ndarray) -> tuple[float, float]:
    softness = Softness().apply(source).softness
    assert softness is not None
    return Sharpness().blur(softness, target, landmarks)


def portrait() -> Portrait:
    return Portrait(face(), np.ones((SIZE, SIZE), np.float32), face_points())


def test_a_blurred_face_is_less_sharp_and_a_pale_one_is_not() -> None:
    values = [SharpnessGauge().sharpness(blurred(face(), each, each), face_points()) for each in (0.0, 0.8, 1.5)]
    assert (values[0] > 1.1 * values[1]).all() and (values[1] > 1.1 * values[2]).all()
    assert SharpnessGauge().sharpness(face(contrast=0.4), face_points()) == pytest.approx(values[0], rel=0.1)


@pytest.mark.parametrize("blur", [1.3, 1.8, 2.5])
def test_the_targets_blur_is_found_but_for_what_is_unsure(blur: float) -> None:
    found = blur_for(portrait(), blurred(face(), blur, blur), face_points())
    assert np.hypot(found, Sharpness().settings.unsure) == pytest.approx((blur, blur), rel=0.25)


@pytest.mark.parametrize(("node", "left"), [(3, 0.0), (4, 0.4583), (6, 1.7321)])
def test_blurs_are_subtracted_as_squares(node: int, left: float) -> None:
    """Of 0.8 nothing is left beside an unsure 1, of 1.1 the root of 1.21 - 1, of 2 that of 4 - 1."""
    wanted = 1.05 * SharpnessGauge().sharpness(face(), face_points())
    steps = np.arange(len(SharpnessGauge().blurs)) - node  # this node is as soft as wanted
    softness = wanted[:, None] * (1 - 0.05 * steps)
    assert Sharpness().blur(softness, face(), face_points()) == pytest.approx((left, left), abs=1e-3)


def test_a_photo_a_little_softer_than_another_is_none_that_is_blurred() -> None:
    assert blur_for(portrait(), blurred(face(), 0.8, 0.8), face_points()) == (0, 0)


def test_a_motions_blur_is_found_along_its_way_alone() -> None:
    across, down = blur_for(portrait(), blurred(face(), 2.0, 0.0), face_points())
    assert across > 1 and down == 0
    across, down = blur_for(portrait(), blurred(face(), 0.0, 2.0), face_points())
    assert down > 1 and across == 0


def test_a_blur_across_spreads_a_point_across() -> None:
    """The middle weight of a Gaussian of 2 pixels of the picture is 1 / (2 * sqrt(2 pi)) = 0.1995."""
    image = np.zeros((SIZE, SIZE, 3), np.uint8)
    image[SIZE // 2, SIZE // 2] = 255
    spread = blurred(image, 2 * 224 / SIZE, 0.0)
    assert spread[SIZE // 2, SIZE // 2, 0] == pytest.approx(0.1995 * 255, abs=1)
    assert not spread[SIZE // 2 + 1].any() and spread[SIZE // 2, SIZE // 2 + 2, 0] > 25


def test_over_a_sharp_face_nothing_is_blurred() -> None:
    assert blur_for(portrait(), face(), face_points()) == (0, 0)
    soft = replace(portrait(), image=blurred(face(), 1.5, 1.5))
    assert blur_for(soft, face(), face_points()) == (0, 0)
    image = face()
    assert blurred(image, 0.0, 0.0) is image


def test_points_in_a_heap_are_no_error() -> None:
    for place in (-3.0, 0.5, 4.0):
        assert np.isfinite(SharpnessGauge().sharpness(face(), np.full((66, 2), place, np.float32))).all()


def test_at_any_size() -> None:
    large = cv2.resize(face(), (2 * SIZE, 2 * SIZE), interpolation=cv2.INTER_CUBIC)
    assert SharpnessGauge().sharpness(large, face_points()) == pytest.approx(
        SharpnessGauge().sharpness(face(), face_points()), rel=0.1
    )
