"""Shots: a cut begins one; a flash, a fade, a change of light and a moving camera do not."""

from fractions import Fraction

import numpy as np
import pytest

from faceswap_cli.stages.shots import FLASH, Shots
from faceswap_cli.types import Frame

DRAW = np.random.default_rng(3)
HERE, THERE = (DRAW.integers(40, 200, (9, 16, 3)).astype(np.float32).repeat(10, 0).repeat(10, 1) for _ in range(2))
WHITE = np.full_like(HERE, 255)


def shots(pictures: list[np.ndarray]) -> list[int]:
    frames = [Frame(each.clip(0, 255).astype(np.uint8), k, k, Fraction(1, 30)) for k, each in enumerate(pictures)]
    return [shot for shot, _, _ in Shots().of((frame, []) for frame in frames)]


def test_a_cut_begins_a_shot_with_its_first_frame() -> None:
    assert shots([HERE] * 7 + [THERE] * 9) == [0] * 7 + [1] * 9


def test_a_cut_back_begins_another() -> None:
    assert shots([HERE] * 7 + [THERE] * 5 + [HERE] * 4) == [0] * 7 + [1] * 5 + [2] * 4


@pytest.mark.parametrize("length", range(1, FLASH + 1))
def test_a_flash_begins_none(length: int) -> None:
    assert shots([HERE] * 9 + [WHITE] * length + [HERE] * 9) == [0] * (18 + length)


def test_a_flash_on_a_cut_hides_no_cut() -> None:
    assert shots([HERE] * 9 + [WHITE] * 2 + [THERE] * 9)[-1] > 0


def test_light_that_is_switched_on_begins_none() -> None:
    assert shots([HERE] * 9 + [0.6 * HERE + 90] * 20) == [0] * 29


def test_a_fade_begins_none() -> None:
    shares = np.linspace(1, 0, 25)
    assert shots([share * HERE for share in shares] + [share * THERE for share in shares[::-1]]) == [0] * 50


def test_a_camera_that_is_thrown_round_begins_none() -> None:
    wide = DRAW.integers(0, 255, (9, 200, 3)).astype(np.float32).repeat(10, 0).repeat(10, 1)
    begun = shots([wide[:, 25 * k : 25 * k + 160] for k in range(40)])
    assert begun[-1] <= 1, "the first jerk alone may look like a cut"


def test_frames_come_out_whole_and_in_order() -> None:
    frames = [Frame(HERE.astype(np.uint8), k, k) for k in range(9)]
    assert [(frame.index, faces) for _, frame, faces in Shots().of((f, [f]) for f in frames)] == [
        (frame.index, [frame]) for frame in frames
    ]
