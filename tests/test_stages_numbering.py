"""Numbers: a face goes on with the track whose way leads to it and that looks like it."""

from fractions import Fraction

import numpy as np
import pytest

from faceswap_cli.stages.numbering import Numbering
from faceswap_cli.types import Face, Frame
from tests.test_stages_track import face

DRAW = np.random.default_rng(7)
ANNA, BEN = (DRAW.integers(0, 255, (8, 8, 3)).astype(np.uint8).repeat(5, 0).repeat(5, 1) for _ in range(2))


LIKE_ANNA = (0.9 * ANNA + 0.1 * BEN).astype(np.uint8)
HALF_ANNA = (0.5 * ANNA + 0.5 * BEN).astype(np.uint8)  # 0.71 alike to either


def picture(*placed: tuple[np.ndarray, int]) -> np.ndarray:
    rgb = np.full((90, 400, 3), 90, np.uint8)
    for look, left in placed:
        rgb[25:65, left : left + 40] = look
    return rgb


def number(numbering: Numbering, second: float, *placed: tuple[np.ndarray, int]) -> list[int]:
    """Return the tracks of people who stand so far from the left, in the order given."""
    faces = [face(left, 25, 40) for _, left in placed]
    frame = Frame(picture(*placed), 0, round(1000 * second), Fraction(1, 1000))
    numbered = numbering.number(frame, 0, faces)
    lefts: dict[int, int] = {round(float(each.box[0])): track for track, each in numbered.items()}
    return [lefts[left] for _, left in placed]


@pytest.mark.parametrize(
    ("second", "look", "left", "track"),
    [
        (0.5, ANNA, 40, 0),
        (0.5, BEN, 40, 1),  # another looks out of the same window
        (5.0, ANNA, 40, 0),
        (5.0, BEN, 40, 1),
        (11.0, ANNA, 40, 1),
        (0.5, ANNA, 120, 1),  # two faces' widths away
    ],
)
def test_who_comes_back_is_known_by_place_and_looks(second: float, look: np.ndarray, left: int, track: int) -> None:
    numbering = Numbering()
    assert number(numbering, 0.0, (ANNA, 40)) == [0]
    assert number(numbering, second, (look, left)) == [track]


def test_a_way_leads_on_where_place_alone_would_exchange() -> None:
    """The two pass each other: each is expected 30 pixels further, where the other was."""
    numbering = Numbering()
    for step in range(4):
        assert number(numbering, step / 10, (ANNA, 40 + 30 * step), (BEN, 190 - 30 * step)) == [0, 1]


def test_looks_decide_between_places_as_near() -> None:
    numbering = Numbering()
    number(numbering, 0.0, (ANNA, 100), (BEN, 150))
    assert number(numbering, 0.1, (BEN, 105), (ANNA, 148)) == [1, 0]


def test_one_out_of_sight_takes_nobody_from_one_in_sight() -> None:
    """Ben was last seen where Anna passes."""
    numbering = Numbering()
    number(numbering, 0.0, (ANNA, 40), (BEN, 130))
    for step in range(1, 6):
        assert number(numbering, step / 10, (ANNA, 40 + 30 * step)) == [0]


@pytest.mark.parametrize(("left", "track"), [(112, 0), (148, 1)])
def test_who_is_far_from_where_a_track_leads_must_be_more_like_it(left: int, track: int) -> None:
    """0.3 widths away it takes 0.35, 1.2 widths away 0.8."""
    numbering = Numbering()
    number(numbering, 0.0, (ANNA, 100))
    assert number(numbering, 0.1, (HALF_ANNA, left)) == [track]


def test_a_new_shot_begins_new_tracks() -> None:
    numbering, seen = Numbering(), [face(40, 25, 40)]
    tracks = [list(numbering.number(Frame(picture((ANNA, 40)), 0), shot, seen)) for shot in (0, 0, 1)]
    assert tracks == [[0], [0], [1]]


def test_faces_keep_all_but_their_number() -> None:
    seen: Face = face(40, 25, 40)
    (numbered,) = Numbering().number(Frame(picture((ANNA, 40)), 0), 0, [seen]).values()
    assert (numbered.score, numbered.track) == (seen.score, 0)
    np.testing.assert_array_equal(numbered.points, seen.points)


@pytest.mark.parametrize("begin", [0.0, 100.0])
def test_place_decides_between_looks_as_like_however_late_in_a_clip(begin: float) -> None:
    numbering = Numbering()
    assert number(numbering, begin, (ANNA, 60), (LIKE_ANNA, 110)) == [0, 1]
    assert number(numbering, begin + 0.04, (LIKE_ANNA, 61), (ANNA, 109)) == [0, 1]


def test_looks_decide_where_neither_is_unlike_enough_to_be_ruled_out() -> None:
    numbering = Numbering()
    number(numbering, 0.0, (ANNA, 100), (HALF_ANNA, 150))
    assert number(numbering, 0.1, (HALF_ANNA, 115), (ANNA, 155)) == [1, 0]


def test_who_goes_faster_and_faster_is_expected_where_the_way_leads_by_then() -> None:
    """The last step is 2.25 widths; 562 pixels a second lead 56 of its 90 pixels in 0.1 s, and past it in 0.3 s."""
    numbering = Numbering()
    lefts = (0, 50, 110, 180, 270)
    assert [number(numbering, step / 10, (ANNA, left)) for step, left in enumerate(lefts)] == [[0]] * 5
