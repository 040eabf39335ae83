"""What a turned portrait hides comes from its mirror image, and nothing else does."""

import numpy as np

from faceswap_cli.portrait.corrections.join_views import JoinViews
from faceswap_cli.portrait.fitter import Fitter
from faceswap_cli.portrait.landmarks import mirrored_landmarks
from faceswap_cli.portrait.records import Portrait
from faceswap_cli.portrait.source import prepared
from faceswap_cli.portrait.warp import mirrored
from faceswap_cli.types import Crop, Face
from tests.test_portrait_fitter import SIZE, face_points

CELLS = 16


def portrait(points: np.ndarray) -> Portrait:
    """A face whose left half (in the picture) is red and whose right half is blue."""
    image = np.zeros((SIZE, SIZE, 3), np.uint8)
    image[:, : SIZE // 2, 0] = image[:, SIZE // 2 :, 2] = 200
    return Portrait(image, np.ones((SIZE, SIZE), np.float32), points)


def turned(points: np.ndarray) -> np.ndarray:
    """The points of a head turned so far that the half on the picture's right is a third as wide."""
    x = points[:, 0] - 0.5
    return np.column_stack([0.5 + np.where(x > 0, x / 3, x), points[:, 1]]).astype(np.float32)


def warped_to_a_face_ahead(source: Portrait) -> np.ndarray:
    class Known:
        """Knows the points of the target beforehand."""

        def find_settled(self, picture: np.ndarray) -> tuple[np.ndarray, float]:
            return face_points(), 0.0

    crop = Crop(source.image, np.eye(2, 3), Face(np.zeros(4, np.float32), np.zeros((5, 2), np.float32), 1.0))
    return Fitter(prepared(source), Known()).fit([crop])[0].warped


def test_mirrored_twice_is_the_portrait() -> None:
    one = portrait(turned(face_points()))
    again = mirrored(mirrored(one))
    assert np.array_equal(again.image, one.image)
    assert np.allclose(again.landmarks, one.landmarks, atol=1e-6)


def test_a_face_alike_on_both_sides_has_its_points_in_their_places_when_mirrored() -> None:
    points = face_points()
    assert np.abs(mirrored_landmarks(points) - points).max() < 0.002


def test_the_hidden_half_is_the_other_one_mirrored() -> None:
    warped = warped_to_a_face_ahead(portrait(turned(face_points())))
    left, right = warped[SIZE // 2, SIZE // 3], warped[SIZE // 2, 2 * SIZE // 3]
    assert left[0] > 150 > 50 > left[2]
    assert right[0] > 150 > 50 > right[2]


def test_a_portrait_that_looks_ahead_keeps_both_halves() -> None:
    warped = warped_to_a_face_ahead(portrait(face_points()))
    left, right = warped[SIZE // 2, SIZE // 3], warped[SIZE // 2, 2 * SIZE // 3]
    assert left[0] > 150 > 50 > left[2]
    assert right[2] > 150 > 50 > right[0]


def test_what_one_side_may_not_use_comes_from_the_other() -> None:
    side = (np.arange(CELLS, dtype=np.float32) + 0.5) / CELLS
    places = np.stack(np.meshgrid(side, side), axis=-1)
    own, other = np.full((SIZE, SIZE, 4), 100, np.uint8), np.full((SIZE, SIZE, 4), 200, np.uint8)
    own[..., 3], other[..., 3] = 0, 255
    both = JoinViews().joined(own, other, places, places)
    assert (both[..., :3] == 200).all()
    assert 0 < both[..., 3].max() < 128  # as many pixels either way: the portrait itself counts for most
