"""What of a source's glasses is left behind."""

import cv2
import numpy as np
import pytest

from faceswap_cli.portrait.corrections.source_glasses import Glasses
from faceswap_cli.stages.parse import GLASSES

SIZE = 448
SKIN = 1
LENSES = ((150, 200), (298, 200))  # centres, in pixels
RADIUS = 50


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


def ring(inner: float, outer: float) -> np.ndarray:
    """The pixels that lie so far from the nearer lens's centre."""
    y, x = np.mgrid[:SIZE, :SIZE]
    distance = np.min([np.hypot(x - across, y - down) for across, down in LENSES], axis=0)
    return (distance >= inner) & (distance <= outer)


@pytest.mark.parametrize("rim", [5, 15])
def test_rims_are_found_and_the_skin_inside_and_outside_is_not(rim: int) -> None:
    found = Glasses().found(face(rim), classes(worn=True))
    on_it = found[ring(RADIUS - rim / 2 + 1, RADIUS + rim / 2 - 1)]
    assert np.median(on_it) > 0.9
    assert on_it.min() > 0.6
    assert found[ring(0, RADIUS - rim / 2 - 20)].max() < 0.05
    assert found[ring(RADIUS + rim / 2 + 20, SIZE)].max() < 0.05


@pytest.mark.parametrize("grey", [20, 255])
def test_sunglasses_and_reflections_are_found_whole(grey: int) -> None:
    found = Glasses().found(face(6, grey), classes(worn=True))
    assert found[ring(0, RADIUS - 6)].min() > 0.9


def test_who_wears_none_has_none(rim: int = 5) -> None:
    assert not Glasses().found(face(rim), classes(worn=False)).any()


def test_clear_lenses_without_rims_hide_nothing() -> None:
    assert Glasses().found(face(), classes(worn=True)).max() < 0.05
