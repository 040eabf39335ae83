"""Swapped skin has its target's grain: neither less nor more, and none of its lines."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from faceswap_cli.portrait.corrections.grain import Grain, Settings, _blurred
from faceswap_cli.types import Crop, Face

SIZE, CELLS = 224, 56
INNER = slice(60, 160)
FACE = Face(np.array([0, 0, SIZE, SIZE], np.float32), np.zeros((5, 2), np.float32), 1.0)


def picture(deviation: float, seed: int = 0) -> np.ndarray:
    """Skin with such a noise."""
    noise = np.random.default_rng(seed).normal(0, deviation, (SIZE, SIZE, 1))
    return np.rint(np.clip(noise + np.array([180, 140, 120]), 0, 255)).astype(np.uint8)


def crop_of(image: np.ndarray, skin: float = 1.0) -> Crop:
    classes = np.zeros((19, CELLS, CELLS), np.float32)
    classes[1], classes[0] = skin, 1 - skin
    return Crop(image, np.eye(2, 3), FACE, classes)


def warped(alpha: int = 255) -> np.ndarray:
    layers = np.zeros((SIZE, SIZE, 4), np.uint8)
    layers[20:200, 30:190, 3] = alpha
    return layers


def grain_of(image: np.ndarray) -> float:
    return float(image[INNER, INNER, 1].std())


@pytest.mark.parametrize("own", [0.0, 2.0])
def test_smooth_skin_gets_the_grain_that_it_lacks(own: float) -> None:
    """All but what is held to 1.3 deviations: that leaves 0.83 of a normal distribution's."""
    target = picture(5.0)
    result = Grain().grained(picture(own, seed=1), crop_of(target), warped())
    assert grain_of(result) == pytest.approx(0.83 * grain_of(target), rel=0.06)
    assert abs(float(result[INNER, INNER].mean()) - float(picture(0.0).mean())) < 0.5


def pores(deviation: float, size: float, seed: int = 0) -> np.ndarray:
    """Skin with a noise that is as coarse as a bell of so many pixels."""
    noise = cv2.GaussianBlur(np.random.default_rng(seed).normal(0, 1, (448, 448)), (0, 0), size)
    return np.rint(np.array([180, 140, 120]) + deviation / noise.std() * noise[..., None]).astype(np.uint8)


def whole(image: np.ndarray) -> tuple[Crop, np.ndarray]:
    """A crop of that picture, skin all over, and what a portrait covers of it: all."""
    return replace(crop_of(image), image=image), np.full((*image.shape[:2], 4), 255, np.uint8)


@pytest.mark.parametrize("own", [0.0, 2.0])
def test_the_pores_of_a_close_up_are_grain_too(own: float) -> None:
    """In a crop of 448 there are octaves of 1.2, 2.5 and 4.9 pixels; the first alone sees a third of such pores."""
    crop, covered = whole(pores(5.0, 2.0))
    result = Grain().grained(pores(own, 2.0, seed=1), crop, covered)
    assert 3.2 < float(result[40:-40, 40:-40, 1].std()) < 4.2
    finest = replaced(broad=0.0027).grained(pores(0.0, 2.0), crop, covered)
    assert float(finest[40:-40, 40:-40, 1].std()) < 2.2


def test_blotches_that_the_film_has_not_become_fainter() -> None:
    """Grain of a deviation of 6, seen in each octave, is scaled to 2; what is broader than the last one is left."""
    result = Grain().grained(pores(6.0, 1.5, seed=1), *whole(pores(2.0, 1.5)))
    assert 2.0 < float(result[40:-40, 40:-40, 1].std()) < 3.6


def test_what_is_broader_than_grain_stays() -> None:
    """Shading of a deviation of 20 pixels has no part in octaves up to 4.9."""
    image = pores(0.0, 1.0)
    result = Grain().grained(image, *whole(pores(5.0, 20.0)))
    assert np.abs(result.astype(int) - image).max() <= 1


@pytest.mark.parametrize(("side", "count"), [(90, 0), (100, 1), (224, 2), (448, 3)])
def test_smaller_crops_have_fewer_octaves(side: int, count: int) -> None:
    """Up to 0.011 of the side: 2.46 pixels of 224, two octaves; 4.93 pixels of 448, three."""
    target, swapped, sure = pores(5.0, 2.0)[..., 1], pores(0.0, 2.0)[..., 1], np.full((448, 448), 255, np.uint8)
    assert len(list(Grain()._octaves(target, swapped, sure, side))) == count


def test_a_broad_blur_is_that_of_the_whole_size() -> None:
    """What is blurred by 4.8 pixels was blurred by 2.4 before; a deviation wrong by a tenth is 4 levels off."""
    grey = cv2.GaussianBlur(pores(25.0, 2.0)[:301, :257, 1], (0, 0), 2.4)
    apart = np.abs(_blurred(grey, 4.8).astype(int) - cv2.GaussianBlur(grey, (0, 0), 4.8))
    assert apart.max() <= 3
    assert apart[15:-15, 15:-15].max() <= 1
    assert apart.mean() < 0.25


def replaced(**settings: object) -> Grain:
    return Grain(replace(Settings(), **settings))


def test_skin_loses_the_grain_that_its_film_has_not() -> None:
    image, target = picture(5.0), picture(1.0, seed=1)
    image[100:103, 60:160] = 20  # a wrinkle, which stays
    result = Grain().grained(image, crop_of(target), warped())
    rest = result[110:160, INNER, 1]
    assert float(rest.std()) < 0.6 * float(image[110:160, INNER, 1].std())
    assert result[101, INNER].mean() < 40


def test_a_clean_film_stays_clean() -> None:
    image = picture(0.0)
    assert Grain().grained(image, crop_of(image), warped()) is image
    result = Grain().grained(image, crop_of(picture(0.4)), warped())
    assert grain_of(result) < 0.5


def test_the_lines_of_the_target_do_not_come_along() -> None:
    target = picture(3.0)
    target[100:103, 60:160] = 20  # a brow's hair, or a wrinkle
    result = Grain().grained(picture(0.0), crop_of(target), warped()).astype(int)
    assert np.abs(result - picture(0.0))[95:108].max() < 12


def test_only_skin_beneath_a_portrait_is_changed() -> None:
    image, target = picture(0.0), picture(5.0)
    np.testing.assert_array_equal(Grain().grained(image, crop_of(target), warped())[:18], image[:18])
    assert Grain().grained(image, crop_of(target, skin=0.0), warped()) is image
    assert Grain().grained(image, crop_of(target), warped(alpha=0)) is image


def test_a_crop_that_was_not_parsed_stays() -> None:
    image = picture(0.0)
    assert Grain().grained(image, Crop(picture(5.0), np.eye(2, 3), FACE), warped()) is image
