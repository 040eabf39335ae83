"""A hand that a parser takes for skin is told by how it changes a face in a clip, and nothing else is."""

from dataclasses import replace

import numpy as np
import pytest

from faceswap_cli.portrait.history import History
from faceswap_cli.stages.align import TEMPLATES, similarity
from faceswap_cli.stages.hands import HANDS_BACK, told_hands
from faceswap_cli.types import Crop, Face

SIDE = 160
YY, XX = np.mgrid[:SIDE, :SIDE]
FINGERS, PALM = ((low <= XX) & (high > XX) & (YY > 85) & (YY < 115) for low, high in ((55, 85), (0, 55)))
SKIN = (180, 140, 120)


def frame(hand: tuple[int, int, int] | None = None, palm: bool = True, light: int = 0) -> Crop:
    """A face of plain skin that fills the crop; fingers of a colour before it that are skin to the parser."""
    points = TEMPLATES["simswap-frontal"][0] * SIDE
    image, classes = np.full((SIDE, SIDE, 3), SKIN, np.uint8), np.zeros((19, SIDE, SIDE), np.float32)
    classes[1] = 1
    if hand is not None:
        image[FINGERS | PALM] = hand
        classes[:2, PALM & palm] = [[1], [0]]
    face = Face(np.zeros(4, np.float32), points.astype(np.float32), 1.0, track=3)
    return Crop(image + np.uint8(light), similarity(points, "simswap-frontal", SIDE), face, classes)


def after(bare: int, last: Crop, before: Crop | None = None) -> np.ndarray:
    """Return the share of background (P, P) in a frame behind so many others."""
    history = History()
    for _ in range(bare):
        told_hands([before or frame()], history)
    (told,) = told_hands([last], history)
    assert told.class_probs is not None
    assert np.allclose(told.class_probs.sum(axis=0), 1)
    return told.class_probs[0]


HAND = (200, 170, 165)  # about 13 lighter, and 6 less coloured


def test_fingers_that_join_a_hand_and_change_the_face_are_no_skin() -> None:
    background = after(10, frame(HAND))
    assert background[FINGERS & (XX < 82) & (YY > 88) & (YY < 112)].mean() > 0.99
    assert background[~(FINGERS | PALM) & (XX > 88)].max() == 0


@pytest.mark.parametrize(
    "last",
    [
        frame(HAND, palm=False),  # a flush, a shadow: no thing joins it
        frame((183, 143, 123)),  # as bright and coloured as the face was
        frame(None, light=40),  # a lamp goes on
    ],
)
def test_what_joins_nothing_or_changes_little_stays_skin(last: Crop) -> None:
    assert last.class_probs is not None
    assert np.array_equal(after(10, last), last.class_probs[0])


def test_a_hand_that_was_there_in_most_frames_is_what_the_parser_says() -> None:
    one = frame(HAND)
    assert one.class_probs is not None
    assert np.array_equal(after(HANDS_BACK, one, before=one), one.class_probs[0])


@pytest.mark.parametrize("bare", [0, 5])
def test_nothing_is_told_before_a_face_was_seen_twice(bare: int) -> None:
    """Every third frame is looked at: two looks need six frames."""
    assert after(bare, frame(HAND))[FINGERS].max() == 0
    assert after(6, frame(HAND))[FINGERS].max() == 1


def test_a_photo_and_a_crop_nobody_parsed_stay_as_they_are() -> None:
    one = frame(HAND)
    assert told_hands([one], None)[0] is one
    unseen = replace(one, class_probs=None)
    assert told_hands([unseen], History())[0] is unseen


def test_one_track_says_nothing_of_another() -> None:
    history, other = History(), frame(HAND)
    for _ in range(10):
        told_hands([frame()], history)
    other = replace(other, face=replace(other.face, track=4))
    assert told_hands([other], history)[0] is other
