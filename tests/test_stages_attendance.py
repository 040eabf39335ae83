"""Who was in sight and not swapped: in which frames, and why."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from faceswap_cli.stages.attendance import COVERED, Attendance
from faceswap_cli.stages.track import Located
from faceswap_cli.types import BELOW_THRESHOLD, EMPTY, TOO_SMALL, TURNED, Face, Frame, PassedOver, Swapped

from .test_stages_track import face


def frame(index: int) -> Frame:
    """One of ten a second, of a clip that begins at 3 seconds by its own clock."""
    return Frame(np.zeros((90, 160, 3), np.uint8), index, index + 30, Fraction(1, 10), start=Fraction(3))


def seen(x: float = 60, track: int = 0, role: int = 0) -> Face:
    return replace(face(x, 30, 40), track=track, role=role)


def located(index: int, *faces: Face, others: tuple[int, ...] = ()) -> Located:
    tracks = frozenset([*(each.track for each in faces), *others])
    return Located(frame(index), faces, len(tracks), tracks)


def kept(frames: list[Located]) -> Attendance:
    attendance = Attendance()
    for each in frames:
        attendance.add(each)
    return attendance


def left(attendance: Attendance) -> list[tuple[float, float, int, str]]:
    return [(round(each.first, 3), round(each.last, 3), each.frames, each.why) for each in attendance.left]


def test_a_gap_in_a_track_is_noted_with_its_times() -> None:
    frames = [located(index, *[seen()] * (index not in (4, 5, 6))) for index in range(10)]
    assert left(kept(frames)) == [(0.4, 0.6, 3, COVERED)]


def test_who_is_swapped_throughout_has_no_gap() -> None:
    assert left(kept([located(index, seen()) for index in range(30)])) == []


@pytest.mark.parametrize(("away", "noted"), [(9, 9), (10, 0)])
def test_who_is_away_for_longer_than_a_second_was_not_in_sight(away: int, noted: int) -> None:
    attendance = kept([located(0, seen()), *(located(index + 1) for index in range(away)), located(away + 1, seen())])
    assert sum(each.frames for each in attendance.left) == noted


def test_who_goes_and_comes_over_the_edge_was_not_in_sight() -> None:
    """A face of 40 pixels is at the edge from 4 pixels on."""
    for x, noted in ((3, 0), (5, 3), (117, 0), (115, 3)):
        attendance = kept([located(index, *[seen(x)] * (index not in (4, 5, 6))) for index in range(10)])
        assert sum(each.frames for each in attendance.left) == noted


def test_who_goes_over_the_edge_in_large_steps_was_not_in_sight() -> None:
    """The right edge is 20 pixels before a face that goes by 20 a frame or by 10: the first may be beyond it."""
    for steps, noted in (((80, 100), 0), ((90, 100), 3)):
        seconds = [seen(steps[0]), seen(steps[1]), None, None, None, seen(105)]
        frames = [located(index, *[each] * (each is not None)) for index, each in enumerate(seconds)]
        assert sum(each.frames for each in kept(frames).left) == noted


@pytest.mark.parametrize(
    ("place", "changes", "noted"),
    [
        (66, {}, 2),
        (110, {}, 0),  # somebody else, elsewhere
        (66, {"shot": 1}, 0),  # behind a cut
        (66, {"tracks": frozenset({0, 1})}, 0),  # who was lost is in sight too
    ],
)
def test_who_is_lost_and_found_under_another_number_was_in_sight(
    place: float, changes: dict[str, object], noted: int
) -> None:
    frames = [located(0, seen()), located(1, seen()), located(2), located(3)]
    frames.append(replace(located(4, seen(place, track=1)), **changes))
    assert left(kept(frames)) == [(0.2, 0.3, 2, COVERED)] * (noted > 0)


def test_a_gap_told_under_another_number_is_told_once() -> None:
    """The first number comes back behind the second one."""
    seconds = [0, 0, None, None, 1, 0, 0]
    frames = [located(at, *[] if track is None else [seen(track=track)]) for at, track in enumerate(seconds)]
    assert left(kept(frames)) == [(0.2, 0.3, 2, COVERED)]


def test_who_was_in_sight_and_not_chosen_before_a_new_number_was_not_to_be_swapped() -> None:
    frames = [located(0, seen()), located(1, others=(0,)), located(2), located(3, seen(track=1))]
    assert left(kept(frames)) == [(0.2, 0.2, 1, COVERED)]


def test_who_was_in_sight_and_not_chosen_was_not_to_be_swapped() -> None:
    frames = [located(index, *[seen()] * (index not in (4, 5)), others=(0,)) for index in range(9)]
    assert left(kept(frames)) == []


def test_who_is_swapped_under_another_number_was_not_left() -> None:
    for track, role, noted in ((7, 0, 0), (7, 1, 2)):
        frames = [located(index, seen(62, track, role) if index in (3, 4) else seen()) for index in range(8)]
        assert sum(each.frames for each in kept(frames).left) == noted


@pytest.mark.parametrize("why", [TOO_SMALL, BELOW_THRESHOLD])
def test_what_was_passed_over_where_somebody_is_says_why(why: str) -> None:
    """He goes on by 20 pixels a frame: at the gap he is at 50..90, and what is seen at 62..102 shares 28 of 52."""
    attendance = Attendance()
    for index, x in ((0, 30.0), (1, None), (2, 70.0)):
        attendance.pass_over(frame(index), [PassedOver(face(62, 30, 40), why)] if index == 1 else [])
        attendance.add(located(index, *([] if x is None else [seen(x)])))
    assert left(attendance) == [(0.1, 0.1, 1, why)]
    elsewhere = Attendance()
    for index in range(3):
        elsewhere.pass_over(frame(index), [PassedOver(face(5, 5, 20), why)])
        elsewhere.add(located(index, *[seen()] * (index != 1)))
    assert left(elsewhere) == [(0.1, 0.1, 1, COVERED)]


def test_who_looks_aside_before_being_lost_has_turned_away() -> None:
    points = seen().points.copy()
    points[2, 0] = points[1, 0] - 0.1 * (points[1, 0] - points[0, 0])  # the nose, at nine tenths of the way
    frames = [located(0, replace(seen(), points=points)), located(1), located(2, seen())]
    assert left(kept(frames)) == [(0.1, 0.1, 1, TURNED)]


def test_a_swap_of_which_nothing_is_seen_is_noted_and_not_counted() -> None:
    attendance = Attendance()
    for index in range(6):
        attendance.add(located(index, seen()))
        missed = (PassedOver(seen(), TURNED if index == 5 else EMPTY),) * (index in (2, 3, 5))
        attendance.miss(Swapped(frame(index), (), 1, None, missed))
    assert left(attendance) == [(0.2, 0.3, 2, EMPTY), (0.5, 0.5, 1, TURNED)]
    (role,) = attendance.report([None])
    assert role["faces_swapped"] == 3


def test_each_role_has_its_own_books() -> None:
    one, other = seen(20), seen(90, track=1, role=1)
    attendance = kept([located(index, one, *[other] * (index not in (1, 2))) for index in range(5)])
    first, second = attendance.report(["p1", "p2"])
    assert first == {
        "who": "p1",
        "faces_swapped": 5,
        "tracks": [{"track": 0, "seconds": [0, 0.4], "frames": 5}],
        "left": [],
        "unmeant": [],
    }
    assert (second["who"], second["faces_swapped"]) == ("p2", 3)
    assert second["left"] == [{"track": 1, "seconds": [0.1, 0.2], "frames": 2, "why": COVERED}]
    nobody = {"who": "p3", "faces_swapped": 0, "tracks": [], "left": [], "unmeant": []}
    assert attendance.report(["p1", "p2", "p3"])[2] == nobody


def test_what_is_kept_does_not_grow_with_the_clip() -> None:
    attendance = kept([located(index, seen()) for index in range(200)])
    assert len(attendance._recent) == 11
    assert attendance._passed == {}
