"""Lips of a photo of one tone get a colour and keep their brightness; those of a colour photo stay as they are."""

import numpy as np
import pytest

from faceswap_cli.portrait.corrections.source_lip_colour import LipColour
from faceswap_cli.portrait.records import Portrait

SIDE, LIPS = 40, 10  # rows of lips, at the top


def portrait(redder: int = 0, parsed: bool = True) -> Portrait:
    """A grey face of skin and lips, the lips redder by so many levels."""
    image = np.repeat(np.random.default_rng(0).integers(80, 180, (SIDE, SIDE, 1)), 3, axis=2)
    image[:LIPS, :, 0] += redder
    classes = np.zeros((19, SIDE, SIDE), np.float32)
    classes[12, :LIPS] = classes[1, LIPS:] = 1
    return Portrait(
        image.astype(np.uint8), np.ones((SIDE, SIDE), np.float32), np.zeros((66, 2)), classes if parsed else None
    )


def test_lips_are_tinted_by_shares_of_their_brightness() -> None:
    """Of grey 100: 100 + 10, 100 - 6, 100 + 4.66; half as far 105, 97 and 102.33."""
    grey = np.full((8, 8, 3), 100, np.uint8)
    assert LipColour().tinted(grey, np.ones((4, 4), np.float32))[4, 4].tolist() == [110, 94, 105]
    assert LipColour().tinted(grey, np.full((4, 4), 0.5, np.float32))[4, 4].tolist() == [105, 97, 102]


def test_a_grey_portraits_lips_get_a_colour_and_nothing_else_does() -> None:
    before, after = portrait().image, LipColour().apply(portrait()).image
    assert (after[: LIPS - 1].astype(int) - before[: LIPS - 1])[..., 0].min() >= 8
    assert np.array_equal(after[LIPS + 1 :], before[LIPS + 1 :])
    luma = np.array([0.299, 0.587, 0.114])
    assert np.abs((after - before.astype(int)) @ luma).max() < 0.8, "rounding alone"


@pytest.mark.parametrize("one", [portrait(redder=20), portrait(parsed=False)])
def test_lips_of_a_colour_photo_and_those_nobody_saw_stay(one: Portrait) -> None:
    assert LipColour().apply(one) is one
