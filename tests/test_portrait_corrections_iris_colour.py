"""Eyes take the source's colour; pupils, highlights, whites, lids and shut eyes stay the target's."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from faceswap_cli.portrait.corrections.iris_colour import IrisColour
from faceswap_cli.portrait.corrections.source_eyes import SourceEyes
from faceswap_cli.portrait.records import EyeColour
from faceswap_cli.stages.parse import EYES
from faceswap_cli.types import Crop, Face

SIZE, CELLS = 448, 112
SKIN, WHITE, PUPIL, LIGHT = (205, 160, 140), (220, 212, 210), (12, 10, 10), (250, 250, 250)
BROWN, BLUE = (70, 42, 28), (95, 120, 140)
CENTRES = (170, 200), (280, 200)
RADIUS = 10


def crop(iris: tuple[int, int, int] = BROWN, height: int = 11, look: int = 0, light: float = 1.0) -> Crop:
    """Two eyes 50 pixels wide, half as high as `height` says, looking so many pixels aside."""
    image, opening = np.full((SIZE, SIZE, 3), SKIN, np.uint8), np.zeros((SIZE, SIZE), np.uint8)
    classes = np.zeros((19, CELLS, CELLS), np.float32)
    for label, (x, y) in zip(EYES, CENTRES, strict=True):
        eye = cv2.ellipse(np.zeros_like(opening), (x, y), (25, height), 0, 0, 360, 1, -1).astype(bool)
        ball = np.full_like(image, WHITE)
        for colour, radius in ((iris, RADIUS), (PUPIL, 3)):
            cv2.circle(ball, (x + look, y), radius, colour, -1, cv2.LINE_AA)
        cv2.circle(ball, (x + look - 5, y - 4), 1, LIGHT, -1)
        image[eye] = ball[eye]
        classes[label] = cv2.resize(eye.astype(np.float32), (CELLS, CELLS), interpolation=cv2.INTER_AREA)
    image = np.rint(cv2.GaussianBlur(image, (0, 0), 0.6) * light).astype(np.uint8)
    face = Face(np.array([0, 0, SIZE, SIZE], np.float32), np.zeros((5, 2), np.float32), 1.0)
    return Crop(image, np.eye(2, 3), face, classes)


def colour_of(iris: tuple[int, int, int], light: float = 1.0) -> EyeColour:
    seen = crop(iris, light=light)
    assert seen.class_probs is not None
    found = SourceEyes().seen(seen.image, seen.class_probs)
    assert found is not None
    return found


def rim(image: np.ndarray, look: int = 0) -> np.ndarray:
    """The mean colour of both irises between pupil and white, beside the highlight."""
    return np.mean([image[y + 4 : y + 7, x + look + 2 : x + look + 5] for x, y in CENTRES], axis=(0, 1, 2))


@pytest.mark.parametrize("iris", [BROWN, BLUE])
def test_the_colour_of_eyes_is_seen(iris: tuple[int, int, int]) -> None:
    found = colour_of(iris)
    np.testing.assert_allclose(found.iris, iris, atol=6)
    np.testing.assert_allclose(found.white, WHITE, atol=6)


@pytest.mark.parametrize("look", [-8, 0, 8])
@pytest.mark.parametrize(("own", "wanted"), [(BROWN, BLUE), (BLUE, BROWN)])
def test_eyes_take_a_colour_wherever_they_look(
    look: int, own: tuple[int, int, int], wanted: tuple[int, int, int]
) -> None:
    given = crop(own, look=look)
    result = IrisColour().coloured(given, colour_of(wanted)).image
    before, after = (np.abs(rim(image, look) - wanted).max() for image in (given.image, result))
    assert after < 0.45 * before


def test_pupil_highlight_white_and_skin_stay() -> None:
    given = crop()
    change = np.abs(IrisColour().coloured(given, colour_of(BLUE)).image.astype(int) - given.image).max(axis=2)
    for x, y in CENTRES:
        assert change[y - 1 : y + 2, x - 1 : x + 2].max() < 12
        assert change[y - 4, x - 5] < 40
        assert change[y, x + 15 : x + 22].max() == 0
    assert change[: CENTRES[0][1] - 14].max() == 0
    assert change.max() > 40


def test_the_light_counts_and_not_how_bright_a_photo_is() -> None:
    dark, bright = (IrisColour().coloured(crop(), colour_of(BLUE, light=light)).image for light in (0.6, 1.0))
    np.testing.assert_allclose(rim(dark), rim(bright), atol=8)


def test_eyes_of_that_colour_hardly_change() -> None:
    given = crop()
    assert np.abs(IrisColour().coloured(given, colour_of(BROWN)).image.astype(int) - given.image).max() <= 8


def test_a_black_and_white_film_stays_one() -> None:
    given = crop()
    grey = np.repeat(cv2.cvtColor(given.image, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    result = IrisColour().coloured(replace(given, image=grey), colour_of(BLUE)).image
    assert np.ptp(result.astype(int), axis=2).max() <= 1
    assert result.max(axis=2)[CENTRES[0][1] + 5, CENTRES[0][0] + 3] > grey[CENTRES[0][1] + 5, CENTRES[0][0] + 3, 0] + 10


def test_eyes_that_a_blur_pales_are_not_darkened() -> None:
    given = crop((110, 100, 98))
    pale = replace(given, image=np.rint(0.45 * given.image + 50).astype(np.uint8))
    result = IrisColour().coloured(pale, colour_of((30, 20, 18))).image
    assert rim(result).mean() > 0.94 * rim(pale.image).mean()


def test_shut_unseen_and_unparsed_eyes_stay() -> None:
    blue = colour_of(BLUE)
    shut = crop(height=2)
    assert IrisColour().coloured(shut, blue) is shut
    assert shut.class_probs is not None
    assert SourceEyes().seen(shut.image, shut.class_probs) is None
    blind = replace(crop(), class_probs=None)
    assert IrisColour().coloured(blind, blue) is blind
    empty = replace(crop(), class_probs=np.zeros((19, CELLS, CELLS), np.float32))
    assert IrisColour().coloured(empty, blue) is empty


def test_an_eye_at_the_edge_of_a_crop_is_no_error() -> None:
    given = crop()
    assert given.class_probs is not None
    moved = replace(given, image=np.roll(given.image, -148, 1), class_probs=np.roll(given.class_probs, -148 // 4, 2))
    assert IrisColour().coloured(moved, colour_of(BLUE)).image.shape == given.image.shape
