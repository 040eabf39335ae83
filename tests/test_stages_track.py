"""Tracking: steady, without lag, true to one person, and never across a cut."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from faceswap_cli.stages.align import TEMPLATES
from faceswap_cli.stages.track import LONGEST_GAP, LOOK_AHEAD, Located, Track
from faceswap_cli.types import Face, Frame

SHAPE = TEMPLATES["arcface"][0]
NOISE = np.random.default_rng(5)


def frame(index: int, level: int = 90) -> Frame:
    return Frame(np.full((90, 160, 3), level, np.uint8), index, index, Fraction(1, 30))


def face(x: float, y: float = 40, width: float = 100, score: float = 0.9) -> Face:
    points = SHAPE * width + [x, y]
    return Face(np.array([x, y, x + width, y + width], np.float32), points.astype(np.float32), score)


def follow(faces: list[list[Face]], limit: int | None = 1, levels: list[int] | None = None) -> list[Located]:
    levels = levels or [90] * len(faces)
    frames = [frame(index, level) for index, level in enumerate(levels)]
    return list(Track(limit).follow(zip(frames, faces, strict=True)))


def lefts(located: list[Located]) -> np.ndarray:
    return np.array([each.faces[0].points[:, 0].mean() for each in located])


def test_every_frame_comes_out_once_and_in_order() -> None:
    assert [each.frame.index for each in follow([[face(10)]] * 23)] == list(range(23))


def test_frames_come_a_fixed_few_behind() -> None:
    taken = []
    sightings = ((taken.append(index) or frame(index), []) for index in range(50))
    next(Track(1).follow(sightings))
    assert len(taken) == LOOK_AHEAD + 1


def test_trembling_is_damped() -> None:
    still = [[face(50 + NOISE.normal(0, 0.3))] for _ in range(60)]
    before, after = np.array([faces[0].points[:, 0].mean() for faces in still]), lefts(follow(still, None))
    assert after.std() < 0.6 * before.std()


def test_an_even_motion_has_no_lag() -> None:
    moving = [[face(3.0 * index)] for index in range(30)]
    expected = [faces[0].points[:, 0].mean() for faces in moving]
    np.testing.assert_allclose(lefts(follow(moving)), expected, atol=1e-3)


def test_a_sudden_turn_is_kept() -> None:
    jumping = [[face(10.0 if index < 15 else 40.0)] for index in range(30)]
    expected = [faces[0].points[:, 0].mean() for faces in jumping]
    np.testing.assert_allclose(lefts(follow(jumping)), expected, atol=0.1)


@pytest.mark.parametrize("gap", [1, LONGEST_GAP])
def test_a_short_gap_is_filled_on_the_way_between(gap: int) -> None:
    sightings = [[] if 10 <= index < 10 + gap else [face(2.0 * index)] for index in range(24)]
    steps = [after - before for before, after in pairwise(lefts(follow(sightings)))]
    np.testing.assert_allclose(steps, 2.0, atol=1e-3)


def test_a_long_gap_stays_empty() -> None:
    sightings = [[] if 10 <= index < 15 else [face(10)] for index in range(24)]
    assert [len(each.faces) for each in follow(sightings)] == [1] * 10 + [0] * 5 + [1] * 9


@pytest.mark.parametrize(("passing", "found"), [(30, 1), (90, 2)])
def test_a_gap_stays_empty_where_another_face_was_found(passing: int, found: int) -> None:
    """Who passes before somebody of 10 to 110 is at 30 to 130, or at 90 to 190, when they are not found."""
    sightings = [[face(passing + 100 - 10.0 * index)] + [face(10)] * (index != 10) for index in range(24)]
    assert [len(each.faces) for each in follow(sightings, None)] == [2] * 10 + [found] + [2] * 13


def test_a_gap_over_a_cut_stays_empty() -> None:
    sightings = [[] if 10 <= index < 12 else [face(10)] for index in range(20)]
    located = follow(sightings, levels=[40] * 11 + [160] * 9)
    assert [len(each.faces) for each in located] == [1] * 10 + [0] * 2 + [1] * 8


def test_a_cut_begins_a_new_track_and_no_point_is_mixed() -> None:
    sightings = [[face(10.0 if index < 10 else 12.0)] for index in range(20)]
    located = follow(sightings, levels=[40] * 10 + [160] * 10)
    assert {each.faces[0].track for each in located[:10]}.isdisjoint({each.faces[0].track for each in located[10:]})
    expected = [faces[0].points[:, 0].mean() for faces in sightings]
    np.testing.assert_allclose(lefts(located), expected, atol=1e-4)


def test_crossing_people_keep_their_numbers() -> None:
    sightings = [[face(2.0 * index, 0, 20), face(60 - 2.0 * index, 45, 20)] for index in range(30)]
    rows = [sorted((each.box[1], each.track) for each in located.faces) for located in follow(sightings, None)]
    assert len({tuple(track for _, track in row) for row in rows}) == 1


def test_a_number_limits_the_faces_and_all_does_not() -> None:
    crowd = [[face(10, width=20), face(50, width=30), face(100, width=40)]] * 5
    assert {len(each.faces) for each in follow(crowd, 2)} == {2}
    assert {len(each.faces) for each in follow(crowd, None)} == {3}
    assert {each.faces_found for each in follow(crowd, 2)} == {3}


def test_a_second_run_gives_the_same() -> None:
    sightings = [[face(50 + NOISE.normal(0, 0.5)), face(100 + NOISE.normal(0, 0.5), width=60)] for _ in range(40)]
    one, other = follow(sightings, None), follow(sightings, None)
    for left, right in zip(one, other, strict=True):
        for mine, yours in zip(left.faces, right.faces, strict=True):
            np.testing.assert_array_equal(mine.points, yours.points)
