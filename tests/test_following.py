"""Who is swapped, from pictures to track: real portraits in made scenes, found by the real detector."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.scenes import blank, followed, left_frames, middles, portrait, scene

pytestmark = pytest.mark.usefixtures("kept_looks")
People = tuple[np.ndarray, np.ndarray]


@pytest.fixture(scope="module")
def people(data: Path) -> People:
    """Return two portraits, the larger first."""
    photos = sorted((data / "faces" / "congress").glob("*/*.jpg"))
    return portrait(photos[0], 270), portrait(photos[40], 240)


def near(found: list[int | None], expected: list[float | None], within: float = 30) -> bool:
    """Tell whether each swapped face lies where one is, and none is where none is."""
    return all(
        (one is None) == (other is None) and (one is None or other is None or abs(one - other) < within)
        for one, other in zip(found, expected, strict=True)
    )


def test_the_only_face_is_swapped_behind_a_jump(people: People) -> None:
    one, _ = people
    located = followed(scene((one, 30 if t < 12 else 400, 60)) for t in range(24))
    assert near(middles(located), [130.0] * 12 + [500.0] * 12)


def test_two_people_cut_against_each_other_are_swapped_in_turn(people: People) -> None:
    one, other = people
    located = followed(scene((one, 30, 60)) if t // 8 % 2 == 0 else scene((other, 400, 60)) for t in range(32))
    assert near(middles(located), ([130.0] * 8 + [500.0] * 8) * 2)


def test_who_enters_when_another_has_left_is_swapped_at_once(people: People) -> None:
    one, other = people
    located = followed(scene(*[(one, 30, 60)] * (t < 12), *[(other, 400, 60)] * (t >= 15)) for t in range(24))
    assert near(middles(located), [130.0] * 12 + [None] * 3 + [500.0] * 9)


def test_a_leap_leaves_no_frame(people: People) -> None:
    one, _ = people
    located = followed((scene((one, min(420, 30 + 200 * max(0, t - 8)), 60)) for t in range(20)), rate=10)
    assert left_frames(located) == []


@pytest.mark.parametrize("length", [6, 20])
def test_a_dissolve_leaves_no_frame(people: People, length: int) -> None:
    one, other = people
    here, there = scene((one, 40, 60)), scene((other, 380, 40), wall=(150, 140, 120))
    shares = [min(1.0, max(0.0, (t - 10) / length)) for t in range(20 + length)]
    located = followed((here * (1 - share) + there * share).astype(np.uint8) for share in shares)
    assert left_frames(located) == []
    assert middles(located)[0] < 200 < 400 < middles(located)[-1]


@pytest.mark.parametrize("away", [12, 24])
def test_who_stays_when_the_holder_turns_away_is_swapped_until_he_turns_back(people: People, away: int) -> None:
    """For 0.8 and for 1.6 seconds, after which he is known by his looks."""
    one, other = people
    pictures = [
        scene((blank(300) if 15 <= t < 15 + away else one, 20, 50), (other[::2, ::2], 440, 150))
        for t in range(20 + away)
    ]
    located = followed(pictures)
    assert left_frames(located) == []
    assert near(middles(located), [120.0] * 15 + [490.0] * away + [120.0] * 5)


@pytest.mark.parametrize("brightness", [90, 255])
def test_a_flash_moves_no_swap_and_is_not_painted_on(people: People, brightness: int) -> None:
    """Two frames, in one of two strengths; the other person, who came later, is a little larger."""
    larger, one = people
    both = [scene((one, 40, 60), *[(larger, 400, 55)] * (t >= 6)) for t in range(24)]
    lit = [
        np.clip(rgb + brightness * (t in (14, 15)), 0, 255).astype(np.uint8)
        for t, rgb in enumerate(map(np.int16, both))
    ]
    found = middles(followed(lit))
    assert near(found[:14] + found[16:], [140.0] * 22)
    assert found[14:16] == [None, None] if brightness == 255 else near(found[14:16], [140.0] * 2)


def across(people: People, frames: int, turn: float = 1.0) -> Iterator[np.ndarray]:
    """Show one coming from the left before another who comes from the right; at `turn` of the way they go back."""
    one, other = people
    for t in range(frames):
        share = t / (frames - 1)
        share = min(share, 2 * turn - share)
        yield scene((other, 400 - 380 * share, 62), (one, 10 + 390 * share, 60))


def test_people_who_cross_keep_the_swap(people: People) -> None:
    located = followed(across(people, 40))
    assert near(middles(located), [10 + people[0].shape[1] / 2 + 390 * t / 39 for t in range(40)])


def test_people_who_meet_and_turn_back_keep_their_numbers(people: People) -> None:
    located = followed(across(people, 40, turn=0.5), None)
    ways: dict[int, list[float]] = {}
    for each in located:
        for face in each.faces:
            ways.setdefault(face.track, []).append(float(face.box[[0, 2]].mean()))
    assert len(ways) == 2
    assert all(abs(way[0] - way[-1]) < 40 for way in ways.values()), "each ends where it began"


def test_who_passes_where_another_was_keeps_the_swap(people: People) -> None:
    one, other = people
    located = followed(scene(*[(other, 250, 65)] * (t < 6), (one, 10 + 390 * t / 29, 60)) for t in range(30))
    assert near(middles(located), [10 + one.shape[1] / 2 + 390 * t / 29 for t in range(30)])


def test_no_gap_is_filled_where_nobody_is(people: People) -> None:
    """A hand, or a back, for two frames: the face is not painted onto it."""
    one, _ = people
    located = followed(scene((blank(250) if t in (10, 11) else one, 200, 60)) for t in range(20))
    assert [index for index, middle in enumerate(middles(located)) if middle is None] == [10, 11]
