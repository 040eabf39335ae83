"""Shots: a cut or a dissolve begins one; a flash, a fade, a change of light and a moving camera do not."""

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


def smooth(width: int) -> np.ndarray:
    """A picture that changes little from one pixel to the next: (90, width, 3)."""
    return cv2.resize(DRAW.integers(0, 255, (4, width // 20, 3)).astype(np.float32), (width, 90))


def melting(one: np.ndarray, other: np.ndarray, length: int) -> list[np.ndarray]:
    """Nine pictures of one, so many mixtures with ever more of the other, and nine of that."""
    shares = np.arange(1, length + 1) / (length + 1)
    return [one] * 9 + [(1 - share) * one + share * other for share in shares] + [other] * 9


@pytest.mark.parametrize("length", [4, 10, 25])
def test_a_dissolve_begins_a_shot_where_it_ends(length: int) -> None:
    told = shots(melting(HERE, THERE, length))
    begun = told.index(1)
    assert told == [0] * begun + [1] * (len(told) - begun)
    assert 0.84 < (begun - 8) / (length + 1) <= 1, "the share of the second picture there"


def test_a_picture_that_comes_and_goes_before_it_stays_begins_none() -> None:
    assert (
        shots([(1 - share) * HERE + share * THERE for share in [0] * 9 + [0.3, 0.6, 0.3, 0.6, 0.9] + [1] * 9])
        == [0] * 23
    )


def test_a_dissolve_of_pictures_that_move_is_told_too() -> None:
    """By a pixel a frame, the one to the left, the other to the right."""
    one, other, shares = smooth(240), smooth(240), np.clip((np.arange(27) - 8) / 10, 0, 1)
    told = shots([(1 - s) * one[:, k : k + 160] + s * other[:, 40 - k : 200 - k] for k, s in enumerate(shares)])
    assert (told[0], told[-1], len(set(told))) == (0, 1, 2)


def test_a_camera_that_moves_slowly_begins_none() -> None:
    wide = smooth(360)
    assert shots([wide[:, 3 * k : 3 * k + 160] for k in range(60)]) == [0] * 60


def test_light_that_grows_begins_none() -> None:
    assert shots(melting(HERE, 0.6 * HERE + 90, 9)) == [0] * 27


def checks(level: float) -> tuple[np.ndarray, np.ndarray]:
    """Two pictures of a grey of 100 and one that much lighter, with squares of 10 levels up and down that differ."""
    rows, columns = (np.mgrid[:90, :160] // np.array([15, 20])[:, None, None]) % 2 * 20.0 - 10
    return (100 + np.dstack([rows] * 3)), (100 + level + np.dstack([columns] * 3))


def test_a_dissolve_changes_the_picture_by_more_than_22_levels_and_takes_three_frames() -> None:
    assert shots(melting(*checks(21), 3)) == [0] * 21
    assert shots(melting(*checks(23), 3))[-1] == 1
    assert shots(melting(*checks(23), 2)) == [0] * 20


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
