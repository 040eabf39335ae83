"""Who was left, or swapped, until it was known who they are: told once it is known, with each stretch."""

from dataclasses import replace

from faceswap_cli.stages.attendance import Attendance
from faceswap_cli.stages.choice import PATIENCE
from faceswap_cli.stages.hindsight import LATE, UNMEANT
from faceswap_cli.stages.track import Located
from faceswap_cli.types import EMPTY, PassedOver, Swapped

from .test_stages_attendance import kept, left, located, seen

Told = list[tuple[float, float, int, str]]


def unchosen(index: int, known: int | None = None, shot: int = 0) -> Located:
    """A frame, one of ten a second, with track 0 in sight and left."""
    return replace(located(index, others=(0,)), known={} if known is None else {0: known}, shot=shot)


def chosen(index: int, known: int | None = 0, role: int = 0) -> Located:
    return replace(located(index, seen(role=role)), known={} if known is None else {0: known})


def unmeant(attendance: Attendance) -> Told:
    return [(round(each.first, 3), round(each.last, 3), each.frames, each.why) for each in attendance.unmeant]


def test_who_was_left_until_recognised_is_told_with_each_stretch() -> None:
    frames = [unchosen(0), unchosen(1), located(2), unchosen(3), chosen(4, role=1), unchosen(5, 0), chosen(6, role=1)]
    attendance = kept(frames)
    assert left(attendance) == [(0.0, 0.1, 2, LATE), (0.3, 0.3, 1, LATE)]
    assert {each.role for each in attendance.left} == {1}
    assert attendance.unmeant == []


def test_who_was_taken_for_another_until_recognised_is_told() -> None:
    assert left(kept([unchosen(0, 1), unchosen(1), chosen(2)])) == [(0.0, 0.0, 1, LATE), (0.1, 0.1, 1, LATE)]


def test_who_was_known_all_along_and_not_chosen_was_not_recognised_late() -> None:
    assert left(kept([unchosen(0, 0), unchosen(1, 0), chosen(2)])) == []
    assert left(kept([located(0, others=(0,)), located(1, seen())])) == [], "nobody is named"


def test_who_is_never_recognised_is_nobody_and_forgotten_behind_a_cut() -> None:
    attendance = kept([*(unchosen(index) for index in range(200)), unchosen(200, shot=1)])
    assert attendance.left == []
    (stretch,) = attendance._hindsight._stretches[0]
    assert stretch.done.frames == 1


def test_who_is_to_be_left_and_was_swapped_until_recognised_is_told() -> None:
    """Swapped in four frames, in two stretches, then known and left."""
    frames = [chosen(0, None), chosen(1, None), located(2), chosen(3, None), chosen(4, None), unchosen(5, 1)]
    attendance = kept([*frames, unchosen(6, 1)])
    assert unmeant(attendance) == [(0.0, 0.1, 2, UNMEANT), (0.3, 0.4, 2, UNMEANT)]
    (role,) = attendance.report([None])
    assert role["unmeant"][1] == {"track": 0, "seconds": [0.3, 0.4], "frames": 2, "why": UNMEANT}


def test_who_gets_another_face_once_recognised_had_one_that_was_not_meant_for_them() -> None:
    attendance = kept([chosen(0, 0, role=0), chosen(1, 1, role=1), chosen(2, 1, role=1)])
    assert unmeant(attendance) == [(0.0, 0.0, 1, UNMEANT)]
    assert {each.role for each in attendance.unmeant} == {0}


def test_who_gives_way_to_a_larger_face_was_meant() -> None:
    """What they are taken for has not changed."""
    assert unmeant(kept([chosen(0, None), unchosen(1), unchosen(2)])) == []
    assert unmeant(kept([chosen(0), unchosen(1, 0)])) == []


def test_who_comes_back_after_long_and_is_not_known_yet_was_meant() -> None:
    soon, late = (round(10 * seconds) for seconds in (PATIENCE, PATIENCE + 0.2))
    assert len(unmeant(kept([chosen(0), unchosen(soon - 1)]))) == 1
    assert unmeant(kept([chosen(0), *(located(index) for index in range(1, late)), unchosen(late)])) == []


def test_a_photos_face_of_whose_swap_nothing_is_seen_is_noted_without_a_track() -> None:
    attendance, (face,) = Attendance(), located(0, replace(seen(), track=-1)).faces
    attendance.add(Located(located(0).frame, (face,), 1))
    attendance.miss(Swapped(located(0).frame, (), 1, None, (PassedOver(face, EMPTY),)))
    assert left(attendance) == [(0.0, 0.0, 1, EMPTY)]


def test_a_swap_of_which_nothing_is_seen_is_none_of_somebody_who_is_not_meant() -> None:
    attendance = Attendance()
    for each in (chosen(0, None), chosen(1, None), unchosen(2, 1)):
        attendance.add(each)
        missed = tuple(PassedOver(face, EMPTY) for face in each.faces if each.frame.index == 0)
        attendance.miss(Swapped(each.frame, (), 1, None, missed))
    assert unmeant(attendance) == [(0.0, 0.1, 1, UNMEANT)]
