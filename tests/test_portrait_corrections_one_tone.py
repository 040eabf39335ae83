"""A target of one tone stays of one tone; a colour photo is not touched."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from faceswap_cli.media.photo import read_photo
from faceswap_cli.options import Options
from faceswap_cli.portrait.corrections.one_tone import OneTone, line_of, toned
from faceswap_cli.portrait.history import History
from faceswap_cli.portrait.open_bundle import OpenBundle
from faceswap_cli.portrait.records import FaceState, Portrait
from faceswap_cli.stages.align import crop_face
from faceswap_cli.stages.bundle import find_bundle
from faceswap_cli.types import Crop, Face

SIDE = 40
LUMA = np.array([0.299, 0.587, 0.114])
BASE, SLOPE = np.array([20.0, 10.0, 0.0]), np.array([1.0, 0.9, 0.7])  # a sepia print's
OPTIONS = Options(device="cpu", threads=1)


def print_of(brightness: np.ndarray) -> np.ndarray:
    return BASE + SLOPE * brightness[..., None]


def face(redder: float, lips: int = 200, skin: int = 800, track: int = 0) -> FaceState:
    """A sepia face, the lips redder by so many levels, in whose swap there are other colours."""
    grey = np.random.default_rng(0).uniform(60, 180, SIDE * SIDE)
    picture, classes = print_of(grey), np.zeros((19, SIDE * SIDE), np.float32)
    picture[:lips, 0] += redder
    classes[12, :lips] = classes[1, lips : lips + skin] = 1
    picture[lips + skin :] = [0, 0, 255]  # what is neither tells nothing
    image = np.rint(picture).astype(np.uint8).reshape(SIDE, SIDE, 3)
    box, points = np.float32([0, 0, 8, 8]), np.zeros((5, 2), np.float32)
    crop = Crop(image, np.eye(2, 3), Face(box, points, 1.0, track), classes.reshape(19, SIDE, SIDE))
    nobody = Portrait(image, np.ones((SIDE, SIDE), np.float32), np.zeros((66, 2), np.float32))
    swap = np.random.default_rng(1).integers(40, 200, (SIDE, SIDE, 3)).astype(np.uint8)
    return FaceState(nobody, crop, np.zeros((66, 2), np.float32), image=swap)


def test_a_line_is_found_through_colours_that_lie_on_one() -> None:
    """Colour is base + slope * grey, and brightness its luma: 11.85 + 0.9071 * grey."""
    base, slope = line_of(print_of(np.linspace(20, 200, 50)))
    np.testing.assert_allclose(slope, SLOPE / (SLOPE @ LUMA), atol=1e-5)
    np.testing.assert_allclose(base, BASE - slope * (BASE @ LUMA), atol=1e-3)


def test_colours_go_to_the_line_by_a_share_and_brightness_stays() -> None:
    image = np.array([[[200, 100, 50]]], np.uint8)  # brightness 124.2
    line = (np.zeros(3), np.ones(3))
    assert toned(image, line, 1.0).tolist() == [[[124, 124, 124]]]
    assert toned(image, line, 0.5).tolist() == [[[162, 112, 87]]]


@pytest.mark.parametrize(("redder", "share"), [(0, 1), (4, 1), (6, 0.51), (12, 0)])
def test_lips_off_the_line_tell_a_colour_photo(redder: float, share: float) -> None:
    """Of a red of 1 more 0.67, -0.30 and -0.23 stay, 0.77 in all, at the brightness that it adds to.

    Rounding leaves skin 0.38 from its line: 6 more are 4.61 + 0.38 away, and 5.5 - 4.99 is 0.51 of a level.
    """
    assert OneTone().told(face(redder).crop)[0] == pytest.approx(share, abs=0.02)


def test_skin_of_many_colours_tells_one_too() -> None:
    one = face(0)
    image = one.crop.image.astype(int) + np.random.default_rng(3).integers(-9, 10, one.crop.image.shape)
    assert OneTone().told(replace(one.crop, image=image.astype(np.uint8)))[0] == 0


def test_a_swap_gets_the_targets_tone_or_stays_as_it_is() -> None:
    (sepia,), (colour,) = OneTone().over([face(0)], None), OneTone().over([face(12)], None)
    _, slope = line_of(sepia.image.reshape(-1, 3).astype(np.float32))
    np.testing.assert_allclose(slope, SLOPE / (SLOPE @ LUMA), atol=0.02)
    np.testing.assert_array_equal(colour.image, face(12).image)


@pytest.mark.parametrize(("lips", "skin"), [(20, 800), (200, 30)])
def test_where_too_little_is_seen_nothing_changes(lips: int, skin: int) -> None:
    hidden = face(0, lips, skin)
    assert OneTone().over([hidden], None)[0].image is hidden.image


def test_a_mouth_covered_for_a_frame_changes_hardly_anything() -> None:
    history = History()
    for _ in range(11):
        OneTone().over([face(0)], history)
    (covered,) = OneTone().over([face(0, lips=20)], history)
    swap, (wanted,) = face(0).image.astype(int), OneTone().over([face(0)], None)
    np.testing.assert_allclose(covered.image - swap, (wanted.image - swap) * 11 / 12, atol=1.5)


@pytest.mark.parametrize(
    ("name", "share"),
    [
        ("faces/congress/vv_003189/wiki.jpg", 1.0),  # grey on brown paper
        ("faces/congress/vv_001204/manual.jpg", 1.0),  # sepia
        ("faces/congress/W000814/0001.jpg", 0.0),  # pale lips and skin of nearly one colour
        ("faces/congress/B001255/0001.jpg", 0.0),
    ],
)
def test_prints_are_told_from_pale_colour_photos(data: Path, name: str, share: float) -> None:
    opened = OpenBundle(find_bundle(OPTIONS), OPTIONS)
    rgb = read_photo(data / name).frame.rgb
    crop = crop_face(rgb, opened.detector().detect(rgb)[0], "simswap-frontal", 448)
    assert opened.parser is not None
    assert OneTone().told(opened.parser.parse_crops([crop])[0])[0] == pytest.approx(share, abs=0.01)
