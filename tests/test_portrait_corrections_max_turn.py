"""Faces turned further than a portrait can be laid are left whole, without a blink."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from faceswap_cli.app.swap import swap_image
from faceswap_cli.errors import NoFaceError
from faceswap_cli.media.photo import read_photo
from faceswap_cli.media.reader import open_clip
from faceswap_cli.options import Options
from faceswap_cli.pipeline import Swapper
from faceswap_cli.portrait.corrections.max_turn import MaxTurn, Settings
from faceswap_cli.portrait.geometry import mean_face
from faceswap_cli.portrait.history import History
from faceswap_cli.portrait.recipe import RECIPE
from faceswap_cli.portrait.records import FaceState, Portrait
from faceswap_cli.stages.tally import Tally
from faceswap_cli.types import TURNED, Crop, Face

from .test_portrait_geometry import seen, turned

NOBODY = Portrait(np.zeros((8, 8, 3), np.uint8), np.ones((8, 8), np.float32), np.zeros((66, 2), np.float32))
STEP = MaxTurn(Settings(most=48.0))


def face(yaw: float, track: int = 0) -> FaceState:
    box, points = np.float32([0, 0, 8, 8]), np.zeros((5, 2), np.float32)
    crop = Crop(np.zeros((8, 8, 3), np.uint8), np.eye(2, 3), Face(box, points, 1.0, track))
    return FaceState(NOBODY, crop, seen(mean_face(), turned(yaw, 5, -10)).astype(np.float32))


def seen_of(yaws: list[float]) -> list[float]:
    """How far a swap is seen in each frame of a clip."""
    history = History()
    return [STEP.over([face(yaw)], history)[0].opacity for yaw in yaws]


@pytest.mark.parametrize(("yaw", "opacity"), [(0, 1), (47.9, 1), (-47.9, 1), (48.1, 0), (-48.1, 0), (60, 0)])
def test_in_a_photo_a_face_is_swapped_up_to_the_limit_and_whole(yaw: float, opacity: float) -> None:
    assert STEP.over([face(yaw)], None)[0].opacity == opacity


@pytest.mark.parametrize(
    ("yaw", "opacity"), [(45, 1), (45.6, 1), (46.8, 0.75), (48, 0.5), (49.2, 0.25), (50.4, 0), (52, 0)]
)
def test_in_a_clip_a_swap_fades_around_the_limit_over_a_tenth_of_it(yaw: float, opacity: float) -> None:
    assert seen_of([yaw])[-1] == pytest.approx(opacity, abs=0.01)


def test_a_head_that_trembles_at_the_limit_does_not_blink() -> None:
    """By two degrees to and fro, a swap would come and go wholly; the mean of six frames stays within a sixth."""
    trembling = seen_of([46 if number % 2 else 50 for number in range(30)])[6:]
    assert np.abs(np.diff(trembling)).max() < 0.01
    assert trembling[0] == pytest.approx(0.5, abs=0.01)


def test_a_head_that_turns_away_and_back_fades_out_once_and_in_once() -> None:
    """Two degrees a frame: from 45.6 to 50.4 in three frames, by the mean of six."""
    opacity = seen_of([*range(30, 62, 2), *range(60, 28, -2)])
    steps = np.diff(opacity)
    lowest = int(np.argmin(opacity))
    assert (steps[:lowest] <= 0).all() and (steps[lowest:] >= 0).all()
    assert (opacity[0], min(opacity), opacity[-1]) == (1, 0, 1)
    assert np.abs(steps).max() <= 0.51


def test_each_track_has_a_turn_of_its_own() -> None:
    history = History()
    for _ in range(6):
        faces = STEP.over([face(60, track=0), face(10, track=1)], history)
    assert [each.opacity for each in faces] == [0, 1]


def test_a_limit_of_90_leaves_no_face_and_another_limit_is_another_recipe() -> None:
    assert "MaxTurn" in [type(step).__name__ for step in RECIPE.up_to(60).steps]
    assert "MaxTurn" not in [type(step).__name__ for step in RECIPE.up_to(90).steps]
    assert len({RECIPE.up_to(degrees).digest for degrees in (40, 48, 90)}) == 3
    assert RECIPE.up_to(Settings().most).digest == RECIPE.digest


def test_a_clip_keeps_who_turns_away_and_says_when(data: Path, portrait: Path) -> None:
    """He looks 25 degrees aside and back ahead: beyond 15 he is left, once, and whole."""
    options, tally = Options(model="mobile", device="cpu", threads=1, max_turn=15), Tally()
    swapper = Swapper([read_photo(portrait).frame], options)
    with open_clip(data / "clips" / "lp_d12.mp4") as clip:
        frames = list(swapper.frames(clip.frames(Fraction(19, 10), Fraction(23, 10)), tally))
    left = [[each.why for each in frame.missed] for frame in frames]
    count = sum(map(len, left))
    assert 3 <= count <= 7
    assert left == [[TURNED]] * count + [[]] * (len(frames) - count)
    assert all(bool(frame.patches) is not bool(frame.missed) for frame in frames)
    assert (tally.faces_turned, tally.faces_empty, tally.shows_a_swap) == (count, 0, True)
    assert [(each.frames, each.why) for each in tally.attendance.left] == [(count, TURNED)]


def test_a_photo_of_somebody_turned_away_is_refused_with_what_would_swap_it(
    data: Path, portrait: Path, tmp_path: Path
) -> None:
    turned_to_the_side = data / "photos" / "edge_liveportrait" / "s10.jpg"  # by 38 degrees
    with pytest.raises(
        NoFaceError, match="turned aside by more degrees than --max-turn 30: nothing is written"
    ) as error:
        swap_image(portrait, turned_to_the_side, tmp_path / "out.png", Options(device="cpu", threads=1, max_turn=30))
    assert error.value.exit_code == 3
    assert list(tmp_path.iterdir()) == []
