"""A half of a face in shade becomes as light as the other; skin, moles and turned faces stay."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from faceswap_cli.portrait.corrections.source_light import Light
from faceswap_cli.portrait.records import Portrait
from tests.test_portrait_fitter import SIZE, face_points
from tests.test_portrait_warp import turned

SKIN = (200, 160, 140)
MIDDLE = SIZE // 2
CHEEKS = (slice(MIDDLE, MIDDLE + 20), slice(50, 80)), (slice(MIDDLE, MIDDLE + 20), slice(SIZE - 80, SIZE - 50))


def lit_from(left: float, right: float) -> Portrait:
    """A face with a little grain whose halves are so light, softly from one to the other."""
    grain = np.random.default_rng(0).integers(-4, 5, (SIZE, SIZE, 1))
    light = np.where(np.arange(SIZE) < MIDDLE, left, right).astype(np.float32)[None, :, None]
    light = cv2.GaussianBlur(np.repeat(light, SIZE, axis=0), (0, 0), 0.03 * SIZE)[..., None]
    image = np.clip((np.full((SIZE, SIZE, 3), SKIN) + grain) * light, 0, 255)
    return Portrait(np.rint(image).astype(np.uint8), np.ones((SIZE, SIZE), np.float32), face_points())


def cheeks(portrait: Portrait) -> tuple[float, float]:
    left, right = (float(portrait.image[cheek].mean()) for cheek in CHEEKS)
    return left, right


@pytest.mark.parametrize("darker", [(0.7, 1.0), (1.0, 0.7)])
def test_a_cheek_in_shade_becomes_as_light_as_the_other(darker: tuple[float, float]) -> None:
    before, after = (cheeks(each) for each in (lit_from(*darker), Light().apply(lit_from(*darker))))
    assert min(after) > 0.93 * max(before)
    assert max(after) < 1.02 * max(before)


def test_a_face_lit_from_the_front_stays() -> None:
    portrait = lit_from(1.0, 1.0)
    assert np.abs(Light().apply(portrait).image.astype(int) - portrait.image).max() <= 2


def test_skin_keeps_its_hue_and_a_mole_its_depth() -> None:
    portrait = lit_from(1.0, 0.7)
    mole = (MIDDLE + 10, SIZE - 65)
    cv2.circle(portrait.image, mole[::-1], 2, (90, 60, 50), -1)
    around = Light().apply(portrait).image[CHEEKS[1]].reshape(-1, 3)
    np.testing.assert_allclose(np.median(around, axis=0) / SKIN, 1.0, atol=0.06)
    assert Light().apply(portrait).image[mole].mean() < 0.6 * np.mean(SKIN)


def test_of_the_darkest_shade_the_mirror_image_is_taken() -> None:
    portrait = lit_from(1.0, 0.1)
    row, column = MIDDLE + 10, 65
    cv2.circle(portrait.image, (column, row), 4, (90, 60, 50), -1)
    after = Light().apply(portrait)
    left, right = cheeks(after)
    assert right == pytest.approx(left, rel=0.03)
    assert after.image[row, SIZE - 1 - column].mean() < 0.7 * np.mean(SKIN)
    assert np.abs(after.image[:, : MIDDLE - 40].astype(int) - portrait.image[:, : MIDDLE - 40]).max() <= 2


def test_a_deep_shade_gets_the_lit_sides_hue() -> None:
    portrait = lit_from(1.0, 0.3)
    red_cast = np.array([25, -5, -8])
    portrait.image[:, MIDDLE + 20 :] = np.clip(portrait.image[:, MIDDLE + 20 :] + red_cast, 0, 255)
    after = Light().apply(portrait).image[CHEEKS[1]].reshape(-1, 3).mean(axis=0)
    np.testing.assert_allclose(after / after.sum(), np.array(SKIN) / sum(SKIN), atol=0.03)


def test_what_may_not_be_used_is_neither_changed_nor_compared() -> None:
    portrait = lit_from(1.0, 1.0)
    hair = (slice(0, SIZE), slice(0, 60))
    portrait.image[hair], portrait.valid_mask[hair] = 10, 0
    assert np.abs(Light().apply(portrait).image.astype(int) - portrait.image).max() <= 2


def test_the_more_a_face_is_turned_the_less_is_done() -> None:
    portrait = lit_from(1.0, 0.7)
    aside = replace(portrait, landmarks=turned(face_points()))
    far_aside = replace(portrait, landmarks=turned(turned(face_points())))
    straight, half = (cheeks(Light().apply(each))[1] - cheeks(each)[1] for each in (portrait, aside))
    assert half < 0.5 * straight
    assert Light().apply(far_aside) is far_aside
