"""Views: what is turned or cut out comes back to its place, and no face falls between tiles."""

from dataclasses import replace

import numpy as np
import pytest

from faceswap_cli.stages.align import transform
from faceswap_cli.stages.doubles import is_inside, is_same, once, overlap, surest
from faceswap_cli.stages.views import (
    MOST_AROUND,
    Tile,
    is_central,
    standing,
    tiles,
    tiles_around,
    tilt,
    turn_of,
    turned,
    turned_back,
)
from faceswap_cli.types import Face

DRAW = np.random.default_rng(11)
UPRIGHT = np.array([(30, 40), (70, 40), (50, 60), (35, 80), (65, 80)], np.float32)


def face(points: np.ndarray = UPRIGHT, score: float = 0.9) -> Face:
    return Face(np.concatenate([points.min(axis=0), points.max(axis=0)]), points, score)


def moved(x: float, y: float = 0) -> Face:
    return face(UPRIGHT + np.array([x, y], np.float32))


def rolled(degrees: float) -> Face:
    """Return a face that leans clockwise, as y points down."""
    angle = np.radians(degrees)
    matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return face(((UPRIGHT - 60) @ matrix.T + 60).astype(np.float32))


@pytest.mark.parametrize("turn", range(4))
def test_a_pixel_found_in_a_turned_picture_is_the_pixel_of_the_picture(turn: int) -> None:
    image = np.zeros((200, 120), np.uint8)
    image[UPRIGHT[:, 1].astype(int), UPRIGHT[:, 0].astype(int)] = [1, 2, 3, 4, 5]
    seen = turned(image, turn)
    points = np.array([np.argwhere(seen == number)[0][::-1] for number in range(1, 6)], np.float32)
    back = turned_back(face(points), turn, 120, 200)
    np.testing.assert_array_equal(back.points, UPRIGHT)
    np.testing.assert_array_equal(back.box, [30, 40, 70, 80])


@pytest.mark.parametrize(
    ("degrees", "turn"), [(0, 0), (40, 0), (-40, 0), (50, 1), (90, 1), (180, 2), (-140, 2), (-130, 3), (-90, 3)]
)
def test_a_face_that_leans_clockwise_is_turned_counter_clockwise(degrees: float, turn: int) -> None:
    assert tilt(rolled(degrees), 0) == pytest.approx((degrees + 180) % 360 - 180, abs=1e-3)
    assert turn_of(rolled(degrees)) == turn
    assert abs(tilt(rolled(degrees), turn)) <= 45


@pytest.mark.parametrize("shape", [(3000, 4000), (2000, 12000), (9000, 700), (720, 1280), (700, 650)])
@pytest.mark.parametrize("least", [12, 24, 60])
def test_no_face_falls_between_tiles(shape: tuple[int, int], least: int) -> None:
    """Any size from the least on up to what the whole picture shows; 24 pixels are needed in what is seen."""
    cut = list(tiles(shape, least, 640))
    found_whole = 24 * max(shape) / 640
    for size in np.geomspace(least, max(found_whole, least), 12)[:-1] if cut else []:
        corner = DRAW.uniform(0, np.array(shape[::-1]) - size)
        there = Face(np.concatenate([corner, corner + size]).astype(np.float32), UPRIGHT, 0.9)
        serving = [tile for tile in cut if tile.shows_whole(there, shape)]
        assert max(size * tile.scale for tile in serving) >= 23.9, size
        assert all(0 <= tile.x <= shape[1] - tile.width and 0 <= tile.y <= shape[0] - tile.height for tile in cut)


def test_a_picture_no_larger_than_what_is_seen_has_no_tiles() -> None:
    assert list(tiles((640, 640), 24, 640)) == []
    assert len(list(tiles((3000, 4000), 24, 640))) == 48  # 8 x 6 of 640 that share 160
    assert len(list(tiles((3000, 4000), 96, 640))) == 4  # seen a quarter as large, 1000 x 750


def test_what_is_found_in_a_tile_lies_in_the_picture() -> None:
    tile = Tile(100, 40, 320, 320, 2.0)
    image = DRAW.integers(0, 255, (600, 800, 3)).astype(np.uint8)
    assert tile.cut(image).shape == (640, 640, 3)
    found = tile.to_picture(face())
    np.testing.assert_allclose(found.points, UPRIGHT / 2 + [100, 40])
    np.testing.assert_allclose(found.box, [115, 60, 135, 80])


def test_a_face_at_a_tile_s_edge_may_go_on_behind_it_but_not_behind_the_picture_s() -> None:
    tile, shape = Tile(0, 0, 80, 200, 1.0), (200, 400)
    assert not tile.shows_whole(moved(9), shape)  # ends at 79 of 80
    assert tile.shows_whole(moved(7), shape) and tile.shows_whole(moved(8), shape)  # 2 pixels from it are enough
    assert tile.shows_whole(moved(-30), shape)  # begins where the picture does


def test_followed_faces_share_tiles_of_which_there_are_few() -> None:
    near = [moved(100 * k) for k in range(4)]
    assert len(tiles_around(near, (2000, 9000), 1.0)) == 1
    apart = [moved(900 * k, 500) for k in range(9)]
    around = tiles_around(apart, (2000, 9000), 1.0)
    assert len(around) == MOST_AROUND
    assert all(tile.shows_whole(each, (2000, 9000)) for tile, each in zip(around, apart, strict=False))


def test_a_face_counts_the_way_up_it_is_seen_best() -> None:
    standing, over = face(score=0.7), face(UPRIGHT[::-1].copy(), 0.9)
    assert surest({0: [standing], 2: [over]}) == [over]
    assert surest({2: [over], 0: [standing]}) == [over]
    leaning, less = rolled(60), replace(rolled(60), score=0.86)
    assert surest({0: [leaning], 1: [less]}) == [less], "60 degrees cost 0.12, 30 degrees 0.06"
    assert surest({0: [leaning], 1: [replace(less, score=0.83)]}) == [leaning]
    elsewhere = face(UPRIGHT + 300, 0.8)
    assert surest({0: [standing], 1: [elsewhere]}) == [standing, elsewhere]


@pytest.mark.parametrize("degrees", [-170, -60, 0, 30, 90, 145])
def test_a_face_that_leans_is_set_upright_in_the_middle(degrees: float) -> None:
    leaning = rolled(degrees)
    seen = replace(leaning, points=transform(leaning.points, standing(leaning, 256)).astype(np.float32))
    assert tilt(seen, 0) == pytest.approx(0, abs=1e-2)
    np.testing.assert_allclose(seen.points.mean(axis=0), 127.5, atol=0.01)
    assert is_central(seen, 256)
    assert not is_central(replace(seen, points=seen.points + np.array([33, 0])), 256)


def test_a_weaker_find_across_a_face_is_no_second_face() -> None:
    strong = Face(np.array([0, 0, 100, 100], np.float32), UPRIGHT, 0.98)
    lying = rolled(-125).points
    # 60 x 60 of it shared: 3,600 / (10,000 + 10,000 - 3,600) = 0.22, less than one face at two scales shares
    beside = np.array([40, 40, 140, 140], np.float32)
    assert is_same(Face(beside, lying, 0.51), strong)
    assert not is_same(Face(beside, rolled(20).points, 0.51), strong)  # cheek to cheek
    assert not is_same(Face(beside + 40, lying, 0.51), strong)  # 400 / 19,600: apart
    assert not is_same(Face(beside, lying, 0.99), strong)


def boxed(left: float, top: float, right: float, bottom: float, score: float = 0.9) -> Face:
    return Face(np.array([left, top, right, bottom], np.float32), UPRIGHT, score)


def test_overlap_is_what_two_boxes_share_of_what_both_cover() -> None:
    """20 x 5 of 40 x 10 and of 40 x 20; 20 x 10 of two of 40 x 10 is a third."""
    assert overlap(boxed(0, 0, 40, 10), boxed(20, 5, 60, 25)) == pytest.approx(100 / (400 + 800 - 100))
    assert overlap(boxed(0, 0, 40, 10), boxed(50, 0, 60, 10)) == 0
    assert overlap(boxed(0, 0, 40, 10), boxed(10, 20, 30, 40)) == 0
    assert is_same(boxed(0, 0, 40, 10), boxed(20, 0, 60, 10))
    assert not is_same(boxed(0, 0, 40, 10, 0.5), boxed(23, 0, 63, 10))  # 170 / 630


def test_a_box_is_inside_another_by_more_than_four_fifths() -> None:
    large = boxed(0, 0, 100, 100)
    for width_inside, inside in ((17, True), (15, False)):
        small = boxed(width_inside - 20, 10, width_inside, 30, 0.5)
        assert is_inside(small, large) == inside
        assert is_same(small, large) == inside
        for score in (0.9, 0.95):
            assert not is_same(replace(small, score=score), large), "one as sure or surer is no part of the other"
    assert not is_inside(large, boxed(10, 10, 30, 30))


@pytest.mark.parametrize(
    ("lean", "of_the_other", "same"), [(60.5, 0, True), (59.5, 0, False), (-150.25, 150.25, False)]
)
def test_faces_across_each_other_lean_apart_by_more_than_sixty_degrees(
    lean: float, of_the_other: float, same: bool
) -> None:
    """Either way, and past upside down: 300.5 degrees one way are 59.5 the other."""
    for sign in (1, -1):
        strong = replace(boxed(0, 0, 100, 100, 0.98), points=rolled(sign * of_the_other).points)
        weak = replace(boxed(40, 40, 140, 140, 0.51), points=rolled(sign * lean).points)
        assert is_same(weak, strong) == same


@pytest.mark.parametrize(("offset", "same"), [(54, True), (60, False)])
def test_faces_across_each_other_share_more_than_a_tenth(offset: int, same: bool) -> None:
    """46 x 46 of two of 100 x 100 are 2,116 of 17,884, 40 x 40 are 1,600 of 18,400."""
    lying = replace(boxed(offset, offset, offset + 100, offset + 100, 0.51), points=rolled(-125).points)
    assert is_same(lying, boxed(0, 0, 100, 100, 0.98)) == same


def test_each_face_is_taken_once_as_the_first_look_shows_it() -> None:
    known, first, again, new = (
        boxed(0, 0, 40, 40),
        boxed(100, 0, 140, 40),
        boxed(102, 0, 142, 40),
        boxed(200, 0, 240, 40),
    )
    assert once([[boxed(1, 0, 41, 40), first], [again, new]], [known]) == [first, new]


def test_a_tile_around_a_face_is_640_pixels_or_as_much_as_the_picture_has() -> None:
    (corner,), (middle,) = (tiles_around([each], (300, 2000), 1.0) for each in (face(), moved(950)))
    assert corner == Tile(0, 0, 640, 300, 1.0)
    assert middle == Tile(1000 - 320, 0, 640, 300, 1.0)  # the face's middle lies at 1000
    (tall,) = tiles_around([moved(0, 940)], (2000, 300), 2.0)
    assert tall == Tile(0, 1000 - 160, 300, 320, 2.0)  # seen twice as large, 320 are shown
    assert {(tile.width, tile.height) for tile in tiles((3000, 4000), 24, 640)} == {(640, 640)}
