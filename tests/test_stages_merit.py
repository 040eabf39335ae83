"""A view is better the sharper, larger and more frontal it is."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from faceswap_cli.stages.merit import facing, merit_of
from faceswap_cli.types import Face

from .test_stages_track import face

RGB = np.repeat(np.random.default_rng(2).integers(0, 256, (240, 320, 1), np.uint8), 3, axis=2)


def with_nose_at(share: float, turned: float = 0.0) -> Face:
    """A face whose eyes lie 10 pixels apart, its nose at a share of the way between; turned by so many radians."""
    points = np.array([[0, 0], [10, 0], [10 * share, 6], [1, 12], [9, 12]])
    turn = np.array([[np.cos(turned), np.sin(turned)], [-np.sin(turned), np.cos(turned)]])
    return replace(face(0), points=(points @ turn).astype(np.float32))


@pytest.mark.parametrize(("share", "wanted"), [(0.5, 1), (0.2, 0.25), (0.8, 0.25), (1.0, 0), (1.3, 0), (-0.1, 0)])
def test_who_looks_aside_has_the_nose_near_an_eye(share: float, wanted: float) -> None:
    """At a fifth of the way it is four times nearer to one eye than to the other."""
    assert facing(with_nose_at(share)) == pytest.approx(wanted, abs=1e-6)
    assert facing(with_nose_at(share, turned=2.0)) == pytest.approx(wanted, abs=1e-5), "whichever way up"


def test_a_sharp_view_is_better_than_a_blurred_one() -> None:
    blurred = cv2.GaussianBlur(RGB, (0, 0), 2)
    assert merit_of(RGB, face(100, 60, 100)) > 2 * merit_of(blurred, face(100, 60, 100)) > 0


def test_a_large_view_is_better_than_a_small_one_up_to_what_is_seen_of_it() -> None:
    """The same picture, smaller and seen in the same detail: half as many pixels a side count half, at most."""
    large, small = face(60, 40, 112), face(20, 20, 56)
    picture = cv2.GaussianBlur(RGB, (0, 0), 3)
    half = cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    there = replace(small, box=large.box / 2, points=large.points / 2)
    assert merit_of(half, there) == pytest.approx(merit_of(picture, large) / 2, rel=0.25)


def test_a_face_that_looks_ahead_is_better_and_a_flat_picture_shows_nothing() -> None:
    ahead = face(100, 60, 100)
    points = ahead.points.copy()
    points[2, 0] += 0.3 * (points[1, 0] - points[0, 0])
    assert merit_of(RGB, ahead) > merit_of(RGB, replace(ahead, points=points)) > 0
    assert merit_of(np.full_like(RGB, 90), ahead) == 0
    assert merit_of(RGB, replace(ahead, score=0.45)) == pytest.approx(merit_of(RGB, ahead) / 2)


def test_a_face_cut_off_by_the_edge_is_a_poor_view() -> None:
    """Half of it is outside: a sixteenth remains, whatever the crop makes of the edge."""
    picture = cv2.copyMakeBorder(RGB, 0, 0, 100, 0, cv2.BORDER_REFLECT_101)
    inside, outside = merit_of(picture, face(50, 60, 100)), merit_of(RGB, face(-50, 60, 100))
    assert outside == pytest.approx(inside / 16, rel=1e-4)


def test_a_face_below_the_picture_s_edge_is_a_poor_view_and_one_outside_is_none() -> None:
    picture = cv2.copyMakeBorder(RGB, 0, 100, 0, 0, cv2.BORDER_REFLECT_101)
    inside, outside = merit_of(picture, face(100, 190, 100)), merit_of(RGB, face(100, 190, 100))
    assert outside == pytest.approx(inside / 16, rel=1e-4)
    assert merit_of(RGB, face(-150, 60, 100)) == merit_of(RGB, face(100, 300, 100)) == 0


def test_sharpness_is_a_share_of_the_contrast_which_does_not_count_by_itself() -> None:
    there, less = face(100, 60, 100), (RGB // 2 + 60).astype(np.uint8)
    assert merit_of(less, there) == pytest.approx(merit_of(RGB, there), rel=0.02)


def test_a_picture_whose_levels_deviate_by_less_than_two_shows_nothing() -> None:
    """Two halves that differ by 3 levels deviate by 1.5, by 5 levels 2.5."""
    for step, shown in ((3, False), (5, True)):
        halves = np.full_like(RGB, 90)
        halves[:, 150:] += np.uint8(step)
        assert (merit_of(halves, face(100, 60, 100)) > 0) == shown


def test_where_a_face_lies_in_the_picture_does_not_matter() -> None:
    moved = merit_of(np.roll(RGB, 40, axis=1), face(140, 60, 100))
    assert moved == pytest.approx(merit_of(RGB, face(100, 60, 100)), rel=1e-4)
