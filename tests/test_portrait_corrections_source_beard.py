"""A source's beard stays behind: where it grows nothing is valid, as far as there surely is one; lips are."""

import numpy as np
import pytest

from faceswap_cli.portrait.corrections.source_beard import SourceBeard
from faceswap_cli.portrait.geometry import mean_face
from faceswap_cli.portrait.landmarks import BRIDGE, CHIN, LIPS
from faceswap_cli.portrait.records import Portrait

SIZE = 224


def portrait(beard_prob: float) -> Portrait:
    face = mean_face()[:, :2] / 4 + [0.5, 0.4]
    landmarks = face.astype(np.float32)
    whole = np.ones((SIZE, SIZE), np.float32)
    return Portrait(np.zeros((SIZE, SIZE, 3), np.uint8), whole, landmarks, None, beard_prob)


def valid(beard_prob: float, *places: np.ndarray) -> list[float]:
    """Return how valid a portrait is at places (2,), shares of the side."""
    mask = SourceBeard().apply(portrait(beard_prob)).valid_mask
    return [float(mask[int(y * SIZE), int(x * SIZE)]) for x, y in places]


def test_a_beard_is_not_valid_and_lips_are() -> None:
    landmarks = portrait(1.0).landmarks
    chin = landmarks[CHIN] - [0, 0.05]
    assert valid(1.0, chin, landmarks[LIPS].mean(axis=0), landmarks[BRIDGE]) == pytest.approx([0, 1, 1], abs=0.05)


def test_it_counts_as_far_as_it_is_sure() -> None:
    chin = portrait(1.0).landmarks[CHIN] - [0, 0.05]
    assert valid(0.55, chin)[0] == pytest.approx(0.5, abs=0.03)  # midway between 0.5 and 0.6
    assert valid(0.5, chin) == [1.0]
