"""The folds of a smile are smoothed where the target does not smile; skin, stubble and the rest of a face stay."""

import numpy as np
import pytest

from faceswap_cli.portrait.corrections.smile_folds import SmileFolds
from faceswap_cli.portrait.corrections.source_folds import SmoothFolds

SIDE = 224
SKIN, SHADE = (210, 170, 150), (150, 100, 85)
FOLDS = ((31, 58, -1), (35, 62, 1))


def face(mouth: float = 0.24) -> np.ndarray:
    """Points of a face with a mouth so wide."""
    points = np.random.default_rng(0).uniform(0.3, 0.6, (66, 2))
    points[36:42] = (0.36, 0.45)
    points[42:48] = (0.64, 0.45)
    points[31], points[35] = (0.44, 0.58), (0.56, 0.58)
    points[58], points[62] = (0.5 - mouth / 2, 0.7), (0.5 + mouth / 2, 0.7)
    return points.astype(np.float32)


def skin() -> np.ndarray:
    grain = np.random.default_rng(1).integers(-4, 5, (SIDE, SIDE, 1))
    return np.clip(np.full((SIDE, SIDE, 3), SKIN) + grain, 0, 255).astype(np.uint8)


def folded(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Skin with a fold beside either corner of the mouth, and where it lies."""
    where = np.zeros((SIDE, SIDE), bool)
    for wing, corner, side in FOLDS:
        middle = (points[wing] + points[corner]) / 2 + np.array([side * 0.042, 0])
        x, y = (middle * SIDE).astype(int)
        where[y - 10 : y + 10, x - 2 : x + 2] = True
    image = skin()
    image[where] = SHADE
    return image, where


def test_a_fold_takes_the_colour_of_the_skin_beside_it() -> None:
    image, where = folded(face())
    result = SmoothFolds().smoothed(image, face())
    inside = result[where].mean(axis=0)
    assert np.abs(inside - SKIN).max() < 0.45 * np.abs(np.subtract(SKIN, SHADE)).max()
    assert (result.astype(int) >= image.astype(int) - 1).all()


def test_what_lies_elsewhere_stays_as_it_is() -> None:
    image = skin()
    image[40:44, 60:90] = SHADE  # a brow
    image[: SIDE // 3, 100:104] = SHADE
    result = SmoothFolds().smoothed(image, face())
    assert np.array_equal(result[: SIDE // 3], image[: SIDE // 3])


def test_pores_and_stubble_stay() -> None:
    image = skin()
    assert np.abs(SmoothFolds().smoothed(image, face()).astype(int) - image).max() <= 3
    beard = np.random.default_rng(2).random((SIDE, SIDE)) < 0.3
    image[beard] = SHADE
    change = SmoothFolds().smoothed(image, face()).astype(float) - image
    assert np.abs(change).mean() < 0.05 * np.abs(np.subtract(SKIN, SHADE)).mean()


@pytest.mark.parametrize(("source", "target", "wanted"), [(0.3, 0.24, 1.0), (0.24, 0.3, 0.0), (0.24, 0.24, 0.0)])
def test_only_a_wider_smile_is_too_much(source: float, target: float, wanted: float) -> None:
    assert SmileFolds().excess(face(source), face(target)) == pytest.approx(wanted, abs=1e-5)


def test_a_smile_a_little_wider_is_a_little_too_much_at_any_size() -> None:
    assert 0.2 < SmileFolds().excess(face(0.26), face(0.24)) < 0.8
    assert SmileFolds().excess(2 * face(0.26), face(0.24)) == pytest.approx(
        SmileFolds().excess(face(0.26), face(0.24)), abs=1e-4
    )


def test_points_in_a_heap_change_nothing() -> None:
    image = skin()
    assert SmoothFolds().smoothed(image, np.full((66, 2), -3, np.float32)) is image


def test_nostrils_stay() -> None:
    points, image = face(), skin()
    points[27:31] = [(0.5, y) for y in (0.46, 0.5, 0.54, 0.57)]
    points[32:35] = (0.47, 0.6), (0.5, 0.61), (0.53, 0.6)
    nostril = (slice(130, 134), slice(100, 106))  # beside the wing, below it the fold begins
    image[nostril] = SHADE
    assert np.abs(SmoothFolds().smoothed(image, points)[nostril].astype(int) - image[nostril]).max() < 12
