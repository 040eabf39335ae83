"""Each track of a planned clip is decided as a whole: who is known late is swapped from the first frame on."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from faceswap_cli.errors import OutputError
from faceswap_cli.parts.records import PlannedFrame
from faceswap_cli.parts.whole_tracks import whole_tracks
from faceswap_cli.stages.attendance import Attendance
from faceswap_cli.stages.cast import Cast
from faceswap_cli.stages.hindsight import LATE
from faceswap_cli.stages.who import Wanted
from faceswap_cli.types import Face
from tests.test_stages_track import face
from tests.test_stages_who import LIKE_ANNA, NOT_ANNA, BySize, followed, knowing_anna, lefts

CLIP: Any = SimpleNamespace(time_base=Fraction(1, 30), start_time=Fraction(0), height=90, width=160)
SMALL, LARGE = face(0, 0, 20), face(70, 0, 80)


def decided(frames: list[PlannedFrame], path: Path, *wanted: Wanted) -> list[PlannedFrame]:
    made = list(whole_tracks(iter(frames), CLIP, Cast(wanted, None, 1), path / "seen"))
    assert list(path.iterdir()) == []
    return made


def both_ways(sightings: list[list[Face]], wanted: Wanted, path: Path, **cosines: list[float]) -> list[list[list[int]]]:
    """Return who is swapped in each frame by one pass, and by a plan."""
    located = followed(sightings, wanted, by=knowing_anna(BySize(**cosines)))
    whole = decided([PlannedFrame.of(each, ()) for each in located], path, wanted)
    return [lefts(located), lefts([each.located(before.frame) for each, before in zip(whole, located, strict=True)])]


def test_who_is_recognised_late_is_swapped_from_the_first_frame_on(tmp_path: Path) -> None:
    """Views are 0.5 seconds apart: at frame 0 the cosine is 0.1, from frame 15 on that of the mean is 0.57 and more."""
    one, planned = both_ways([[SMALL]] * 60, LIKE_ANNA, tmp_path, w20=[0.1, 0.9])
    assert one == [[]] * 15 + [[0]] * 45
    assert planned == [[0]] * 60


def test_one_pass_tells_the_frames_before_somebody_is_recognised() -> None:
    attendance = Attendance()
    for each in followed([[SMALL]] * 60, LIKE_ANNA, by=knowing_anna(BySize(w20=[0.1, 0.9]))):
        attendance.add(each)
    (left,) = attendance.left
    assert (left.first, left.last, left.frames, left.why) == (0.0, pytest.approx(14 / 30), 15, LATE)


def test_who_turns_out_to_be_somebody_else_is_swapped_nowhere(tmp_path: Path) -> None:
    """The cosine is 0.4, then that of the mean -0.06."""
    one, planned = both_ways([[SMALL]] * 60, LIKE_ANNA, tmp_path, w20=[0.4, -0.5])
    assert one == [[0]] * 15 + [[]] * 45
    assert planned == [[]] * 60


def test_who_turns_out_to_be_spared_leaves_the_place_to_another_from_the_first_frame_on(tmp_path: Path) -> None:
    one, planned = both_ways([[SMALL, LARGE]] * 60, NOT_ANNA, tmp_path, w20=[0.0], w80=[0.1, 0.9])
    assert one == [[70]] * 15 + [[0]] * 45
    assert planned == [[0]] * 60


def test_of_two_who_are_meant_the_largest_is_swapped_as_if_both_had_been_known(tmp_path: Path) -> None:
    one, planned = both_ways([[SMALL, LARGE]] * 60, LIKE_ANNA, tmp_path, w20=[0.6], w80=[0.1, 0.9])
    assert one[:15] == [[0]] * 15
    assert planned == [[70]] * 60


def test_who_vanishes_within_the_frames_known_ahead_comes_second_as_in_one_pass(tmp_path: Path) -> None:
    """The large one is in sight in three frames of the seven that are known at the first one."""
    sightings = [[SMALL, LARGE]] * 3 + [[SMALL]] * 57
    one, planned = both_ways(sightings, LIKE_ANNA, tmp_path, w20=[0.1, 0.9], w80=[0.6])
    assert one[:15] == [[70]] * 3 + [[]] * 12
    assert planned == [[0]] * 60


def test_a_shot_is_chosen_for_by_its_own_frames_alone(tmp_path: Path) -> None:
    """Both are there in all three frames of the first shot; of the second the small one alone would be known ahead."""
    faces = (replace(SMALL, track=0), replace(LARGE, track=1))
    first = [PlannedFrame(at, at, (), faces, known={1: 0} if at else {}) for at in range(3)]
    second = [PlannedFrame(at, at, (), faces[:1], shot=1) for at in range(3, 30)]
    known = [replace(each, known={0: 0, **each.known}) for each in [*first, *second]]
    made = decided(known, tmp_path, LIKE_ANNA)
    assert [[face.track for face in each.chosen] for each in made] == [[1]] * 3 + [[0]] * 27


def planned(seen: list[tuple[int, int | None]], *, chosen: bool = False) -> list[PlannedFrame]:
    """Frames in which track 0 is taken for somebody, or for nobody (None): so many each; -1 means out of sight."""
    frames, faces = list[PlannedFrame](), (replace(SMALL, track=0, role=int(chosen)),)
    for who in (who for count, who in seen for _ in range(count)):
        split: tuple[tuple[Face, ...], ...] = ((), ()) if who == -1 else (faces, ()) if chosen else ((), faces)
        frames.append(PlannedFrame(len(frames), len(frames), *split, known={} if who in (-1, None) else {0: who}))
    return frames


@pytest.mark.parametrize(
    ("seen", "swapped"),
    [
        (
            [(9, None), (31, -1), (9, 0)],
            18,
        ),  # 32 frames from sight to sight, more than a second: known by the other stay
        ([(9, 0), (31, -1), (5, 0), (4, None)], 9),  # only the stay is taken back in which it was wrong
        ([(9, 0), (29, -1), (5, 0), (4, None)], 0),  # 30 frames, a second: all of it is one stay
        ([(5, 0), (3, None), (5, 0)], 13),  # doubted for a while only
    ],
)
def test_each_stay_of_a_track_is_decided_by_itself_if_it_is_at_all(
    seen: list[tuple[int, int | None]], swapped: int, tmp_path: Path
) -> None:
    assert sum(len(each.chosen) for each in decided(planned(seen), tmp_path, LIKE_ANNA)) == swapped


def test_of_two_stays_in_the_frames_known_ahead_each_has_its_own_decision(tmp_path: Path) -> None:
    """Taken back in the second frame; the third one is shown 40 / 30 seconds later, and it is her again."""
    frames = planned([(1, 0), (1, None), (2, 0)])
    late = [replace(each, pts=each.pts + 40 * (each.index > 1)) for each in frames]
    assert [len(each.chosen) for each in decided(late, tmp_path, LIKE_ANNA)] == [0, 0, 1, 1]


def test_where_nobody_is_known_late_the_frames_stay_as_they_were_located(tmp_path: Path) -> None:
    """Here against the rules, which would swap her."""
    made = decided(planned([(20, 0)]), tmp_path, LIKE_ANNA)
    assert [len(each.chosen) for each in made] == [0] * 20
    assert np.array_equal(made[7].others[0].box, SMALL.box)


def test_what_is_not_chosen_keeps_no_role_and_a_frame_its_number_time_and_shot(tmp_path: Path) -> None:
    frames = [replace(each, pts=each.pts + 9, shot=1) for each in planned([(3, 0), (3, None)], chosen=True)]
    made = decided(frames, tmp_path, LIKE_ANNA)
    assert [(each.index, each.pts, each.shot) for each in made] == [(at, at + 9, 1) for at in range(6)]
    assert [each.others[0].role for each in made] == [0] * 6


def test_what_is_kept_meanwhile_goes_when_nobody_wants_more(tmp_path: Path) -> None:
    frames = whole_tracks(iter(planned([(20, 0)])), CLIP, Cast([LIKE_ANNA], None, 1), tmp_path / "seen")
    next(frames)
    assert [path.name for path in tmp_path.iterdir()] == ["seen"]
    frames.close()
    assert list(tmp_path.iterdir()) == []


def test_where_nothing_can_be_written_a_line_says_so(tmp_path: Path) -> None:
    frames = whole_tracks(iter(planned([(1, 0)])), CLIP, Cast([LIKE_ANNA], None, 1), tmp_path / "no" / "seen")
    with pytest.raises(OutputError, match="seen cannot be written: No such file"):
        next(frames)
