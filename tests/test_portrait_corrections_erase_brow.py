"""A brow of the target that a portrait covers in part goes; one that it hardly covers, and all else, stays."""

import cv2
import numpy as np
import pytest

from faceswap_cli.portrait.corrections.erase_brow import EraseBrow
from faceswap_cli.types import Crop, Face

SIZE, CELLS = 224, 112
ERASE = EraseBrow()
SKIN, BROW = (200, 165, 150), (60, 45, 40)
BROWS = {2: (slice(80, 88), slice(50, 96)), 3: (slice(80, 88), slice(130, 176))}  # rows and columns of the picture


def crop() -> Crop:
    """Skin with two brows, and what a parser says of it."""
    image = np.full((SIZE, SIZE, 3), SKIN, np.uint8)
    classes = np.zeros((19, SIZE, SIZE), np.float32)
    classes[1] = 1
    for label, (rows, columns) in BROWS.items():
        image[rows, columns] = BROW
        classes[1, rows, columns], classes[label, rows, columns] = 0, 1
    image[:40] = 20  # hair
    small = np.stack([cv2.resize(each, (CELLS, CELLS), interpolation=cv2.INTER_AREA) for each in classes])
    face = Face(np.array([0, 0, SIZE, SIZE], np.float32), np.zeros((5, 2), np.float32), 1.0)
    return Crop(image, np.eye(2, 3), face, small)


def warped(*covered: tuple[int, float]) -> np.ndarray:
    """A portrait that may be used over so large a part of these brows, from the left, and over the skin below."""
    layers = np.zeros((SIZE, SIZE, 4), np.uint8)
    layers[92:, :, 3] = 255
    for label, share in covered:
        rows, columns = BROWS[label]
        end = columns.start + round(share * (columns.stop - columns.start))
        layers[rows, columns.start : end, 3] = 255
    return layers


def brow(image: np.ndarray, label: int) -> np.ndarray:
    """The mean colour of the last quarter of a brow, which no portrait here covers in part."""
    rows, columns = BROWS[label]
    return image[rows, columns.stop - 11 : columns.stop].reshape(-1, 3).mean(axis=0)


def test_the_rest_of_a_brow_covered_by_half_becomes_skin() -> None:
    given = crop()
    result = ERASE.erased(given, warped((2, 0.7), (3, 1.0)))
    assert np.abs(brow(result.image, 2) - SKIN).max() < 15
    assert np.array_equal(brow(given.image, 2), BROW)


def test_a_brow_that_is_hardly_covered_stays() -> None:
    given = crop()
    result = ERASE.erased(given, warped((2, 0.1), (3, 0.7)))
    assert np.abs(brow(result.image, 2) - BROW).max() < 2
    assert np.abs(brow(result.image, 3) - SKIN).max() < 15


def test_nothing_else_changes() -> None:
    given = crop()
    change = np.abs(ERASE.erased(given, warped((2, 0.7), (3, 0.7))).image.astype(int) - given.image).max(axis=2)
    near = np.zeros((SIZE, SIZE), bool)
    near[68:100, 36:190] = True
    assert not change[~near].any()


@pytest.mark.parametrize("shares", [(1.0, 1.0), (0.0, 0.0)])
def test_brows_covered_wholly_or_not_at_all_are_left_alone(shares: tuple[float, float]) -> None:
    given = crop()
    assert ERASE.erased(given, warped(*zip(BROWS, shares, strict=True))) is given


def test_without_a_parser_nothing_is_known() -> None:
    given = crop()
    blind = Crop(given.image, given.to_crop, given.face)
    assert ERASE.erased(blind, warped((2, 0.7))) is blind
