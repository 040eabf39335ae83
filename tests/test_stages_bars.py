"""Bars along a frame's edges are told from backdrops, dark scenes and vignettes."""

import numpy as np
import pytest

from faceswap_cli.stages.bars import Area, common_area, picture_area

WIDTH, HEIGHT = 320, 180


def scene(low: int = 60, high: int = 200) -> np.ndarray:
    """A picture without a plain edge."""
    return np.random.default_rng(0).integers(low, high, (HEIGHT, WIDTH, 3)).astype(np.uint8)


def barred(rgb: np.ndarray, area: Area, colour: int = 16, noise: int = 4) -> np.ndarray:
    """A picture with bars around an area, as compression leaves them."""
    bars = colour + np.random.default_rng(1).integers(-noise, noise + 1, rgb.shape)
    result = np.clip(bars, 0, 255).astype(np.uint8)
    inside = slice(area.top, area.bottom), slice(area.left, area.right)
    result[inside] = rgb[inside]
    return result


@pytest.mark.parametrize(
    "area",
    [
        Area(0, 0, WIDTH, HEIGHT),
        Area(37, 0, WIDTH, HEIGHT),
        Area(40, 0, WIDTH - 41, HEIGHT),
        Area(0, 22, WIDTH, HEIGHT - 23),
        Area(9, 8, WIDTH - 7, HEIGHT - 6),
        Area(1, 0, WIDTH, HEIGHT),
    ],
)
@pytest.mark.parametrize("colour", [0, 16, 128, 255])
def test_the_picture_is_found_between_bars_of_any_colour(area: Area, colour: int) -> None:
    rgb = scene(100 if colour < 100 else 0, 200 if colour < 100 else 80)
    assert picture_area(barred(rgb, area, colour)) == area


def test_a_blurred_edge_is_the_bars_up_to_where_it_begins_to_change() -> None:
    rgb = barred(scene(), Area(40, 0, WIDTH, HEIGHT), noise=0)
    rgb[:, 38:41] = [[[30] * 3, [60] * 3, [100] * 3]]  # 14 levels from the bar's 16 on
    assert picture_area(rgb).left == 38


def test_a_plain_backdrop_is_no_bar() -> None:
    """A head before black: the first column that shows something shows it in few rows."""
    rgb = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    rgb[(rows - 100) ** 2 + (columns - 160) ** 2 < 60**2] = 180
    assert picture_area(rgb) == Area(0, 0, WIDTH, HEIGHT)


def test_a_vignette_a_dark_scene_and_a_black_frame_have_no_bars() -> None:
    whole = Area(0, 0, WIDTH, HEIGHT)
    ramp = np.repeat(np.minimum(np.arange(WIDTH), 200)[None, :, None], HEIGHT, axis=0).repeat(3, axis=2)
    assert picture_area(ramp.astype(np.uint8)) == whole
    assert picture_area(barred(scene(8, 36), Area(40, 0, WIDTH, HEIGHT))) == whole
    assert picture_area(np.zeros((HEIGHT, WIDTH, 3), np.uint8)) == whole


def test_a_subtitle_in_a_bar_is_bar() -> None:
    """Letters above and below the picture, of whose fullest rows 42 % are light."""
    area = Area(0, 30, WIDTH, HEIGHT - 40)
    rgb = barred(scene(), area)
    for top in (6, HEIGHT - 30, HEIGHT - 16):
        for left in range(60, 260, 9):
            rgb[top : top + 10, left : left + 3] = 235
            rgb[top + 4 : top + 6, left : left + 6] = 235
    assert picture_area(rgb) == area


def test_a_bar_that_is_written_in_up_to_its_edge_is_picture() -> None:
    rgb = barred(scene(), Area(0, 30, WIDTH, HEIGHT))
    rgb[10:30, 100:140] = 255
    assert picture_area(rgb).top == 0


def test_a_sign_on_a_dark_wall_makes_no_bar_of_it() -> None:
    rgb = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    rgb[10:20, 100:200] = 255
    rgb[100:, 120:260] = 180  # 44 % of either side
    assert picture_area(rgb) == Area(0, 0, WIDTH, HEIGHT)


def test_what_is_picture_in_one_frame_is_picture() -> None:
    assert common_area([Area(4, 0, 90, 50), Area(5, 2, 91, 49), Area(9, 9, 80, 40)]) == Area(4, 0, 91, 50)


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 400, 3), (2, 2, 3), (3, 5, 3)])
def test_the_smallest_pictures_are_whole(shape: tuple[int, int, int]) -> None:
    assert picture_area(np.zeros(shape, np.uint8)) == Area(0, 0, shape[1], shape[0])
