"""Shots: a cut begins one; a flash, a fade, a change of light and a moving camera do not."""

from fractions import Fraction

import cv2
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


def flat(*levels: float) -> list[np.ndarray]:
    return [np.full_like(HERE, level) for level in levels]


def test_a_cut_changes_the_picture_by_more_than_22_levels() -> None:
    assert shots(flat(*[100] * 7, *[121] * 9)) == [0] * 16
    assert shots(flat(*[100] * 7, *[123] * 9)) == [0] * 7 + [1] * 9


def test_and_by_more_than_three_times_the_usual_change() -> None:
    """Changes of 10 are usual: 29 is a jerk, 31 a cut."""
    for jump, cut in ((29, 0), (31, 1)):
        after = 60 + jump
        assert shots(flat(*[50, 60] * 5, *[after, after + 10] * 4)) == [0] * 10 + [cut] * 8


def test_a_picture_is_back_after_a_flash_up_to_11_levels_from_what_it_was() -> None:
    assert shots(flat(*[100] * 9, *[200] * 2, *[110] * 9)) == [0] * 20
    assert shots(flat(*[100] * 9, *[200] * 2, *[112] * 9))[-1] > 0


def test_a_scene_in_another_light_correlates_by_more_than_nine_tenths() -> None:
    """Stripes across and down know nothing of each other: their shares are the correlation, by Pythagoras."""
    across, down = (np.broadcast_to(each, (18, 32)).repeat(5, 0).repeat(5, 1)[..., None] for each in (
        np.arange(32) % 2 * 2 - 1, np.arange(18)[:, None] % 2 * 2 - 1
    ))  # fmt: skip
    for share, cut in ((0.92, 0), (0.88, 1)):
        before, after = 100 + 40 * across, 170 + 40 * (share * across + (1 - share**2) ** 0.5 * down)
        pictures = [np.broadcast_to(each, HERE.shape) for each in [before] * 7 + [after] * 9]
        assert shots(pictures) == [0] * 7 + [cut] * 9


def test_what_lasts_longer_than_a_flash_is_a_shot() -> None:
    longer = FLASH + 1
    assert shots([HERE] * 9 + [WHITE] * longer + [HERE] * 9) == [0] * 9 + [1] * longer + [2] * 9


def test_pictures_of_any_size_have_shots() -> None:
    for height, width in ((36, 64), (360, 640)):
        pictures = [cv2.resize(each, (width, height), interpolation=cv2.INTER_AREA) for each in (HERE, THERE)]
        assert shots([pictures[0]] * 7 + [pictures[1]] * 9) == [0] * 7 + [1] * 9
