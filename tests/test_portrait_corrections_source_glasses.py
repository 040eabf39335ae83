"""A source without its glasses."""

import cv2
import numpy as np
import pytest

from faceswap_cli.portrait.corrections.source_glasses import TakeOffGlasses
from faceswap_cli.portrait.landmarks import EYES
from faceswap_cli.portrait.records import Portrait
from faceswap_cli.stages.parse import GLASSES, HAIR

SIZE = 448
SKIN = 1
LENSES = ((150, 200), (298, 200))  # centres, in pixels
RADIUS = 50
HEXAGON = ((-1, 0), (-0.5, -0.5), (0.5, -0.5), (1, 0), (0.5, 0.5), (-0.5, 0.5))


def face(rim: int = 0, lens: int | None = None) -> np.ndarray:
    """Skin that is lighter on one side, with grain; dark rims of some thickness, and lenses of one grey if tinted."""
    ramp = np.linspace(150, 220, SIZE)[None, :, None] * np.array([1.0, 0.8, 0.7])
    image = ramp + np.random.default_rng(0).normal(0, 5, (SIZE, SIZE, 3))
    image = np.ascontiguousarray(image.clip(0, 255).astype(np.uint8))
    for centre in LENSES:
        if lens is not None:
            cv2.circle(image, centre, RADIUS, (lens,) * 3, -1)
        if rim:
            cv2.circle(image, centre, RADIUS, (30, 25, 25), rim)
    return image


def classes(*, worn: bool) -> np.ndarray:
    """All is skin but, where they are worn, the discs of the glasses."""
    label = np.full((128, 128), SKIN, np.uint8)
    if worn:
        for x, y in LENSES:
            cv2.circle(label, (x * 128 // SIZE, y * 128 // SIZE), (RADIUS + 4) * 128 // SIZE, GLASSES, -1)
    return np.eye(19, dtype=np.float32)[label].transpose(2, 0, 1)


def from_lenses() -> np.ndarray:
    """How far each pixel lies from the nearer lens's centre."""
    y, x = np.mgrid[:SIZE, :SIZE]
    return np.min([np.hypot(x - across, y - down) for across, down in LENSES], axis=0)


def ring(inner: float, outer: float) -> np.ndarray:
    """The pixels that lie so far from the nearer lens's centre."""
    return (from_lenses() >= inner) & (from_lenses() <= outer)


def off(image: np.ndarray, *, worn: bool = True) -> Portrait:
    """The portrait without its glasses; its landmarks' eyes lie in the middle of the lenses."""
    return taken_off(image, classes(worn=worn))


def taken_off(image: np.ndarray, class_probs: np.ndarray) -> Portrait:
    landmarks = np.full((66, 2), 0.9, np.float32)
    for eye, (x, y) in zip(EYES, LENSES, strict=True):
        landmarks[eye] = (np.array([(x, y)]) + 0.5 + 8 * np.array(HEXAGON)) / SIZE
    return TakeOffGlasses().apply(Portrait(image, np.ones((SIZE, SIZE), np.float32), landmarks, class_probs))


@pytest.mark.parametrize("rim", [5, 15])
def test_rims_become_the_skin_on_both_sides(rim: int) -> None:
    skin, on_it = face().astype(float), ring(RADIUS - rim / 2 + 1, RADIUS + rim / 2 - 1)
    portrait = off(face(rim))
    assert np.abs(face(rim).astype(float) - skin)[on_it].mean() > 100
    assert np.abs(portrait.image.astype(float) - skin)[on_it].mean() < 8  # the grain alone is 4
    assert portrait.valid_mask[on_it].min() > 0.95


@pytest.mark.parametrize("rim", [5, 15])
def test_what_is_seen_through_clear_lenses_is_the_sources(rim: int) -> None:
    portrait, elsewhere = off(face(rim)), ring(0, RADIUS - rim / 2 - 6) | ring(RADIUS + rim / 2 + 6, SIZE)
    assert (portrait.image != face(rim))[elsewhere].mean() < 0.01
    assert portrait.valid_mask[elsewhere].min() > 0.95


def test_an_eye_is_no_rim() -> None:
    image = face(15)
    for x, y in LENSES:  # pupils that touch the rim above them: the eyes are 148 pixels apart
        cv2.circle(image, (x, y - RADIUS + 16), 6, (20, 20, 20), -1)
    landmarks = np.full((66, 2), 0.9, np.float32)
    for eye, (x, y) in zip(EYES, LENSES, strict=True):
        landmarks[eye] = (np.array([(x, y - RADIUS + 16)]) + 0.5) / SIZE
    whole = np.ones((SIZE, SIZE), np.float32)
    portrait = TakeOffGlasses().apply(Portrait(image, whole, landmarks, classes(worn=True)))
    for x, y in LENSES:
        assert np.array_equal(portrait.image[y - RADIUS + 16, x - 6 : x + 7], image[y - RADIUS + 16, x - 6 : x + 7])


@pytest.mark.parametrize("grey", [20, 255])
def test_nothing_is_valid_behind_sunglasses_and_reflections(grey: int) -> None:
    portrait = off(face(6, grey))
    assert portrait.valid_mask[ring(16, RADIUS - 2)].max() < 0.1
    assert portrait.valid_mask[ring(RADIUS + 30, SIZE)].min() > 0.95


def test_who_wears_none_stays_as_the_photo_shows(rim: int = 5) -> None:
    portrait = off(face(rim), worn=False)
    assert np.array_equal(portrait.image, face(rim))
    assert portrait.valid_mask.min() == 1


def test_clear_lenses_without_rims_hide_nothing() -> None:
    portrait = off(face())
    assert portrait.valid_mask.min() > 0.95
    assert np.abs(portrait.image.astype(float) - face()).mean() < 0.5


def test_a_soft_fold_beside_a_thin_rim_stays() -> None:
    """A fold some 20 pixels broad and 40 levels deep along the inside of a rim: no rim is so broad and so soft."""
    fold = 40 * np.exp(-(((from_lenses() - RADIUS + 16) / 8) ** 2))
    creased = (face(5) - fold[..., None]).clip(0, 255).astype(np.uint8)
    assert (off(creased).image != creased)[ring(RADIUS - 20, RADIUS - 11)].mean() < 0.1


def test_hair_beside_a_rim_lends_it_no_colour() -> None:
    label = classes(worn=True).argmax(axis=0)
    image, hair = face(9), LENSES[0][0] - RADIUS - 5
    image[:, :hair] = (20, 15, 10)
    label[:, : hair * 128 // SIZE] = HAIR
    probs = np.eye(19, dtype=np.float32)[label].transpose(2, 0, 1)
    repainted = taken_off(image, probs).image
    rim = ring(RADIUS - 3, RADIUS + 3) & (np.arange(SIZE) < hair + 12)[None, :] & (np.arange(SIZE) > hair + 2)[None, :]
    assert np.abs(repainted.astype(float) - face())[rim].mean() < 12
