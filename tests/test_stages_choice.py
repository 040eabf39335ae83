"""Choosing: one person is followed until they are gone, or until another, lasting and as sure, is much nearer."""

from pathlib import Path

import pytest

from faceswap_cli.media.reader import open_clip
from faceswap_cli.options import Options
from faceswap_cli.stages.detect import open_detector
from faceswap_cli.stages.track import Located, Track
from faceswap_cli.stages.watch import Watch
from faceswap_cli.types import Face
from tests.test_stages_track import face, follow

SECOND = 30  # frames
HALF = SECOND // 2
FAR, NEAR = "far", "near"


def far(score: float = 0.9) -> Face:
    return face(5, width=20, score=score)


def near(score: float = 0.9) -> Face:
    return face(60, width=80, score=score)


def meeting(length: int, *spans: range, score: float = 0.9) -> list[list[Face]]:
    """Return the faces of frames that all show someone far away, and in these spans someone much nearer."""
    return [[far()] + [near(score) for span in spans if index in span] for index in range(length)]


def who(located: list[Located]) -> list[list[str]]:
    return [[FAR if face.area < 1000 else NEAR for face in each.faces] for each in located]


def test_the_largest_stays_the_same_person_when_sizes_waver() -> None:
    sightings = [[face(10, width=30 + index % 9), face(90, width=34)] for index in range(2 * SECOND)]
    assert len({each.faces[0].track for each in follow(sightings)}) == 1


def test_a_person_out_of_sight_for_a_moment_is_not_replaced() -> None:
    sightings = [[face(90, width=30)] + ([] if 20 <= index < 30 else [face(10, width=40)]) for index in range(40)]
    located = follow(sightings)
    assert [len(each.faces) for each in located] == [1] * 20 + [0] * 10 + [1] * 10
    assert len({each.faces[0].track for each in located if each.faces}) == 1


def test_a_person_gone_for_good_is_replaced() -> None:
    sightings = [[face(90, width=30)] + ([face(10, width=40)] if index < 10 else []) for index in range(60)]
    assert len(follow(sightings)[-1].faces) == 1


def test_someone_much_nearer_takes_over_after_half_a_second() -> None:
    found = who(follow(meeting(2 * SECOND, range(10, 2 * SECOND))))
    moment = found.index([NEAR])
    assert 10 + HALF <= moment <= 11 + HALF
    assert found == [[FAR]] * moment + [[NEAR]] * (2 * SECOND - moment)


def test_someone_who_comes_nearer_in_sight_takes_over_with_no_delay() -> None:
    widths = [max(20, index) for index in range(2 * SECOND)]
    located = follow([[face(5, width=30), face(60, width=width)] for width in widths])
    moment = next(index for index, each in enumerate(located) if each.faces[0].track != located[0].faces[0].track)
    assert abs(widths[moment] ** 2 / 30**2 - 2) < 0.5


def test_what_is_large_for_a_moment_takes_no_place() -> None:
    assert who(follow(meeting(SECOND, range(5, 5 + HALF)))) == [[FAR]] * SECOND


def test_moments_do_not_add_up_to_a_while() -> None:
    assert who(follow(meeting(2 * SECOND, range(5, 15), range(25, 35), range(45, 55)))) == [[FAR]] * 2 * SECOND


@pytest.mark.parametrize(("score", "followed"), [(0.75, FAR), (0.85, NEAR)])
def test_what_is_less_surely_a_face_takes_no_place_however_long_it_stays(score: float, followed: str) -> None:
    assert who(follow(meeting(2 * SECOND, range(5, 2 * SECOND), score=score)))[-1] == [followed]


def test_a_taken_place_is_given_back_at_once() -> None:
    found = who(follow(meeting(3 * SECOND, range(5, 40))))
    assert found[39:41] == [[NEAR], [FAR]] and [] not in found


def test_a_place_given_back_is_taken_again_after_half_a_second_only() -> None:
    found = who(follow(meeting(3 * SECOND, range(5, 40), range(46, 3 * SECOND))))
    assert found[46 : 46 + HALF] == [[FAR]] * HALF and found[-1] == [NEAR]


def test_a_place_is_not_given_back_to_one_who_has_another() -> None:
    spans = {10: range(150), 20: range(150), 30: range(40), 60: range(5, 110)}  # by width
    places = {10: (0, 45), 20: (0, 0), 30: (30, 0), 60: (80, 0)}
    sightings = [[face(*places[width], width) for width in spans if index in spans[width]] for index in range(150)]
    found = [[round(float(each.box[2] - each.box[0])) for each in located.faces] for located in follow(sightings, 2)]
    assert found[4] == [30, 20] and found[30] == [60, 30]  # the largest took the place of the second
    assert found[100] == [60, 20] and found[115] == [20]  # who has one by now, so the largest is waited for
    assert found[149] == [20, 10]


def test_what_vanishes_at_once_is_not_chosen_before_one_who_stays() -> None:
    assert who(follow(meeting(SECOND, range(3)))) == [[FAR]] * SECOND


def test_who_comes_after_the_holder_is_swapped_at_once_and_gives_the_place_back() -> None:
    sightings = [[near()] * (index < 10 or index >= 20) + [far()] * (index >= 14) for index in range(SECOND)]
    assert who(follow(sightings)) == [[NEAR]] * 10 + [[]] * 4 + [[FAR]] * 6 + [[NEAR]] * 10


def test_who_comes_and_goes_lends_the_place_on() -> None:
    """The third borrows from the second what the first lent: the first gets it back."""
    sightings = [
        [face(60, width=80)] * (index < 10 or index >= 22)
        + [face(0, 0, 20)] * (12 <= index < 16)
        + [face(140, 60, 20)] * (index >= 18)
        for index in range(SECOND)
    ]
    assert who(follow(sightings))[16:24] == [[], [], [FAR], [FAR], [FAR], [FAR], [NEAR], [NEAR]]


@pytest.mark.parametrize("away", [11, 13])
def test_who_was_beside_the_holder_waits_for_a_moment(away: int) -> None:
    """0.4 s: 12 frames, of which LOOK_AHEAD - FLASH are known before they come."""
    sightings = [[far()] + [near()] * (not 30 <= index < 30 + away) for index in range(2 * SECOND)]
    lent = max(0, away - 12 + 6) if away > 12 else 0
    assert who(follow(sightings)) == [[NEAR]] * 30 + [[]] * (away - lent) + [[FAR]] * lent + [[NEAR]] * (30 - away)


def test_a_cut_chooses_anew_at_once() -> None:
    levels = [40] * 10 + [160] * 20
    assert who(follow(meeting(30, range(10, 30)), levels=levels)) == [[FAR]] * 10 + [[NEAR]] * 20


def test_a_skull_on_a_shirt_is_not_followed(data: Path) -> None:
    watch = Watch(open_detector(None, Options(device="cpu", threads=1)))
    with open_clip(data / "clips" / "intel_asl_brother.mkv") as clip:
        located = list(Track(1).follow((frame, watch.find(frame.rgb)) for frame in clip.frames()))
    assert [[face.area < 100**2 for face in each.faces] for each in located] == [[True]] * 65  # not the skull
