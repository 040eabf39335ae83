"""Brows keep the source's place and get the target's tone and some of its hairs; all else stays as it is."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from faceswap_cli.portrait.corrections.brow_tone import BrowTone, look_at
from faceswap_cli.portrait.history import History
from faceswap_cli.portrait.landmarks import BROW_HALVES
from faceswap_cli.portrait.records import FaceState, Portrait
from faceswap_cli.stages.parse import BROWS, SKIN
from faceswap_cli.types import Crop, Face
from tests.test_portrait_fitter import face_points

SIZE = 224
LIGHT = np.array([210, 170, 150], np.uint8)
NOBODY = Face(np.zeros(4, np.float32), np.zeros((5, 2), np.float32), 1.0, track=3)


def brows(thickness: int = 9) -> np.ndarray:
    """Where a face's brows are, (SIZE, SIZE) bool."""
    drawn = np.zeros((SIZE, SIZE), np.uint8)
    lines = [np.rint(face_points()[half] * SIZE - 0.5).astype(np.int32) for half in BROW_HALVES]
    cv2.polylines(drawn, lines, isClosed=False, color=1, thickness=thickness)
    return drawn > 0


def picture(colour: tuple[int, int, int], where: np.ndarray | None = None) -> np.ndarray:
    """Skin with brows of a colour."""
    image = np.empty((SIZE, SIZE, 3), np.uint8)
    image[:] = LIGHT
    image[brows() if where is None else where] = colour
    return image


def face(target: np.ndarray, swap: np.ndarray, seen: np.ndarray | None = None) -> FaceState:
    """A target whose parser sees brows there, and the swap made of it."""
    probs = np.zeros((19, SIZE, SIZE), np.float32)
    probs[BROWS[0]] = brows() if seen is None else seen
    probs[SKIN[0]] = 1 - probs[BROWS[0]]
    everywhere = np.full((SIZE, SIZE, 4), 255, np.uint8)
    nobody = Portrait(swap, np.ones((SIZE, SIZE), np.float32), face_points())
    crop = Crop(target, np.eye(2, 3), NOBODY, class_probs=probs)
    return replace(FaceState(nobody, crop, face_points(), warped=everywhere), image=swap)


def mixed(target: np.ndarray, swap: np.ndarray, seen: np.ndarray | None = None) -> np.ndarray:
    return BrowTone().over([face(target, swap, seen)], None)[0].image


@pytest.mark.parametrize(
    ("found", "wanted", "gain"),
    [
        (0.3, 0.3, 1.0),
        (0.2, 0.4, 1.3195),  # 2 ** 0.4
        (0.4, 0.2, 0.7579),  # 0.5 ** 0.4
        (0.0, 0.02, 1.0),  # what is not seen tells no ratio
    ],
)
def test_darkness_goes_part_of_the_way(found: float, wanted: float, gain: float) -> None:
    assert BrowTone().gain(found, wanted) == pytest.approx(gain, abs=1e-4)


def test_black_brows_over_blond_ones_are_paled_and_keep_their_place() -> None:
    blond, black = picture((150, 120, 100)), picture((40, 30, 25))
    swap = mixed(blond, black)
    inside = swap[brows(3)].mean(axis=0)
    assert (inside > np.array([40, 30, 25]) + 25).all()
    assert (inside < LIGHT - np.array([40, 30, 30])).all()


def test_pale_brows_get_hairs_of_dark_ones() -> None:
    striped = picture((60, 45, 35))
    hairs = brows() & (np.arange(SIZE)[None] % 4 < 2)
    striped[hairs] = (20, 15, 12)
    swap = mixed(striped, picture((190, 155, 138)))
    assert swap[brows(3)].mean() < 0.85 * np.mean((190, 155, 138))
    assert swap[hairs & brows(3)].mean() < swap[~hairs & brows(3)].mean() - 9


def test_brows_as_dark_as_the_targets_keep_their_own_hairs() -> None:
    striped = picture((40, 30, 25))
    hairs = brows() & (np.arange(SIZE)[None] % 8 < 4)
    striped[hairs] = (100, 75, 62)
    swap = mixed(striped, picture((40, 30, 25))).astype(float)
    assert abs(swap[hairs & brows(3)].mean() - swap[~hairs & brows(3)].mean()) < 1


def test_a_dark_spot_is_no_dark_brow() -> None:
    blond = picture((150, 120, 100))
    spotted = blond.copy()
    spotted[brows(1) & (np.arange(SIZE)[None] % 40 == 20)] = 0
    gains = [BrowTone().gain_of(look_at(face(target, blond))) for target in (blond, spotted)]
    assert gains[1] == pytest.approx(gains[0], rel=0.1)


def test_an_orange_brow_takes_the_colour_of_a_brown_one() -> None:
    brown, orange = picture((80, 60, 50)), picture((140, 55, 10))
    before = orange[brows(3)].astype(float).mean(axis=0)
    after = mixed(brown, orange)[brows(3)].astype(float).mean(axis=0)
    assert before[0] - before[2] > 120
    assert after[0] - after[2] < 60


def test_the_skin_around_stays() -> None:
    swap = picture((40, 30, 25))
    swap[:40] = (0, 255, 0)
    swap[77:84, 111:113] = (0, 255, 0)  # between the brows, beside neither
    result = mixed(picture((150, 120, 100)), swap)
    assert np.abs(result[77:84, 111:113].astype(int) - (0, 255, 0)).max() < 60
    far = ~brows(40)
    assert np.array_equal(result[far], swap[far])


def test_brows_stay_where_the_targets_are_hidden() -> None:
    swap = picture((40, 30, 25))
    hidden = np.zeros((SIZE, SIZE), bool)
    assert np.array_equal(mixed(picture((150, 120, 100)), swap, hidden), swap)


def test_what_was_not_covered_stays() -> None:
    swap = picture((40, 30, 25))
    state = face(picture((150, 120, 100)), swap)
    uncovered = replace(state, warped=np.zeros_like(state.warped))
    assert np.array_equal(BrowTone().over([uncovered], None)[0].image, swap)


def test_in_a_clip_brows_do_not_change_from_one_frame_to_the_next() -> None:
    history, black = History(), picture((40, 30, 25))
    first = BrowTone().over([face(black, black)], history)[0].image
    # for one frame the target's brows look blond: by itself this frame would be paled
    alone = mixed(picture((150, 120, 100)), black)
    for _ in range(BrowTone.history):
        BrowTone().over([face(black, black)], history)
    second = BrowTone().over([face(picture((150, 120, 100)), black)], history)[0].image
    inside = brows(3)
    assert abs(second[inside].mean() - first[inside].mean()) < 0.75 * abs(alone[inside].mean() - first[inside].mean())
