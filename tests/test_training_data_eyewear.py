"""Drawn glasses: on both eyes, named as glasses, the same for one seed, and only where they can be seen."""

import cv2
import numpy as np
import pytest

from faceswap_cli.stages.parse import GLASSES
from faceswap_cli.training.data.eyewear import wear_glasses

SIZE = 160
EYES = ((56, 72), (104, 72))
SKIN, LEFT_EYE, RIGHT_EYE, HAIR = 1, 4, 5, 17


def face() -> tuple[np.ndarray, np.ndarray]:
    """An oval of skin with two eyes under hair."""
    image, label = np.full((SIZE, SIZE, 3), (60, 40, 30), np.uint8), np.full((SIZE, SIZE), HAIR, np.uint8)
    cv2.ellipse(image, (80, 90), (50, 65), 0, 0, 360, (200, 160, 140), -1)
    cv2.ellipse(label, (80, 90), (50, 65), 0, 0, 360, SKIN, -1)
    for place, name in zip(EYES, (LEFT_EYE, RIGHT_EYE), strict=True):
        cv2.ellipse(image, place, (9, 4), 0, 0, 360, (240, 240, 240), -1)
        cv2.ellipse(label, place, (9, 4), 0, 0, 360, name, -1)
    return image, label


def worn(count: int = 40) -> list[tuple[np.ndarray, np.ndarray]]:
    return [wear_glasses(*face(), np.random.default_rng(seed)) for seed in range(count)]


def test_both_eyes_lie_behind_the_glasses() -> None:
    seen = [label for _, label in worn() if (label == GLASSES).any()]
    assert len(seen) > 20
    for label in seen:
        assert all(label[y, x] == GLASSES for x, y in EYES)
        assert 0.02 < (label == GLASSES).mean() < 0.3


def test_what_is_not_named_glasses_is_all_but_untouched() -> None:
    image, label = face()
    for changed, classes in worn():
        away = cv2.dilate((classes == GLASSES).astype(np.uint8), np.ones((5, 5), np.uint8)) == 0
        np.testing.assert_array_equal(changed[away], image[away])
        np.testing.assert_array_equal(classes[classes != GLASSES], label[classes != GLASSES])


def test_glasses_that_cannot_be_seen_are_not_taught() -> None:
    image, _ = face()
    for changed, classes in worn(80):
        if (classes == GLASSES).any():
            assert np.abs(changed.astype(int) - image).max() > 12
        else:
            np.testing.assert_array_equal(changed, image)


def test_one_seed_gives_one_pair() -> None:
    one, other = (wear_glasses(*face(), np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(one[0], other[0])
    np.testing.assert_array_equal(one[1], other[1])


@pytest.mark.parametrize("gone", [LEFT_EYE, RIGHT_EYE])
def test_nobody_with_a_hidden_eye_or_with_glasses_gets_any(gone: int) -> None:
    image, label = face()
    hidden = np.where(label == gone, SKIN, label).astype(np.uint8)
    already = np.where(label == gone, GLASSES, label).astype(np.uint8)
    for classes in (hidden, already):
        same = wear_glasses(image, classes, np.random.default_rng(0))
        assert same[0] is image
        assert same[1] is classes
