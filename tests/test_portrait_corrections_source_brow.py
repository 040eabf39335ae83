"""A brow that hair hides is drawn from the other one; what is seen, or hidden on both sides, stays as it is."""

from dataclasses import replace

import cv2
import numpy as np

from faceswap_cli.portrait.corrections.source_brow import Brow
from faceswap_cli.portrait.records import Portrait
from tests.test_portrait_fitter import SIZE, face_points
from tests.test_portrait_warp import turned

SKIN, BROW, HAIR = (190, 150, 130), (70, 50, 40), (220, 200, 90)
LEFT, RIGHT = (slice(60, 100), slice(40, 110)), (slice(60, 100), slice(SIZE - 110, SIZE - 40))
PLACE = int(0.36 * SIZE), int(0.35 * SIZE)  # the middle of the left brow


def portrait(*hidden: tuple[slice, slice]) -> Portrait:
    """A face by hand whose brows are drawn, with hair over some of it."""
    image = np.full((SIZE, SIZE, 3), SKIN, np.uint8)
    for start in (17, 22):
        line = np.rint(face_points()[start : start + 5] * SIZE).astype(np.int32)
        cv2.polylines(image, [line], isClosed=False, color=BROW, thickness=5)
    valid_mask = np.ones((SIZE, SIZE), np.float32)
    for part in hidden:
        image[part], valid_mask[part] = HAIR, 0
    return Portrait(image, valid_mask, face_points())


def test_a_hidden_brow_is_drawn_from_the_other() -> None:
    whole, drawn = portrait(), Brow().apply(portrait(LEFT))
    assert np.abs(drawn.image[PLACE].astype(int) - whole.image[PLACE]).max() < 25
    assert drawn.valid_mask[PLACE] > 0.9
    np.testing.assert_array_equal(drawn.image[:, SIZE // 2 :], whole.image[:, SIZE // 2 :])


def test_it_is_brought_to_this_sides_light() -> None:
    shaded = portrait(LEFT)
    shaded.image[:, : SIZE // 2] //= 2
    drawn = Brow().apply(shaded)
    assert np.abs(2 * drawn.image[PLACE].astype(int) - BROW).max() < 40
    below = PLACE[0] + 10, PLACE[1]
    assert np.abs(2 * drawn.image[below].astype(int) - SKIN).max() < 60


def test_what_is_seen_stays() -> None:
    for one in (portrait(), portrait((slice(0, 60), slice(0, SIZE)))):
        assert Brow().apply(one) is one


def test_two_hidden_brows_and_turned_faces_are_left_alone() -> None:
    both = portrait(LEFT, RIGHT)
    assert Brow().apply(both) is both
    aside = replace(portrait(LEFT), landmarks=turned(face_points()))
    assert Brow().apply(aside) is aside


def test_at_the_edge_of_what_is_drawn_no_hair_is_mixed_in() -> None:
    drawn = Brow().apply(portrait(LEFT))
    edge = (drawn.valid_mask > 0.02) & (drawn.valid_mask < 0.6)
    assert edge.any()
    assert np.abs(drawn.image[edge].astype(int) - SKIN).max(axis=1).mean() < 8
