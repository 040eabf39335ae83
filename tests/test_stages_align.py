"""Alignment: the published matrices, and what any warp must keep."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from faceswap_cli.errors import UsageError
from faceswap_cli.stages.align import TEMPLATES, crop_face, inverse, similarity, transform, warp
from faceswap_cli.types import Face

# Made by running SimSwap's own estimate_norm (insightface_func/face_align_ffhqandnewarc.py) on two landmark sets.
GOLDEN = Path(__file__).parent / "golden" / "simswap_golden_align.npz"


def face_at(points: np.ndarray) -> Face:
    low, high = points.min(axis=0), points.max(axis=0)
    return Face(np.concatenate([low, high]).astype(np.float32), points.astype(np.float32), 0.9)


@pytest.mark.parametrize("pose", ["frontal", "profile"])
@pytest.mark.parametrize(("size", "mode"), [(112, "None"), (224, "None"), (512, "None"), (224, "ffhq"), (512, "ffhq")])
def test_matrix_equals_the_published_code(pose: str, size: int, mode: str) -> None:
    golden = np.load(GOLDEN)
    template = "ffhq" if mode == "ffhq" else "simswap-five"
    matrix = similarity(golden[f"kps_{pose}"], template, size)
    np.testing.assert_allclose(matrix, golden[f"M_{pose}_{size}_{mode}"], rtol=1e-6, atol=1e-4)


@pytest.mark.parametrize("pose", ["frontal", "profile"])
def test_the_stretching_matrix_equals_mobilefaceswaps(pose: str) -> None:
    golden = np.load(GOLDEN)
    points = golden[f"kps_{pose}"]
    high = points.max(axis=0) + 100
    frame = np.zeros((int(high[1]), int(high[0]), 3), np.uint8)
    matrix = crop_face(frame, face_at(points), "arcface-affine", 224).to_crop
    np.testing.assert_allclose(matrix, golden[f"mfs_M_{pose}"], rtol=1e-6, atol=1e-4)
    np.testing.assert_allclose(inverse(matrix), golden[f"mfs_back_{pose}"][:2], rtol=1e-6, atol=1e-3)


def test_points_on_the_template_map_to_themselves() -> None:
    points = TEMPLATES["arcface"][0] * 112
    np.testing.assert_allclose(similarity(points, "arcface", 112), [[1, 0, 0], [0, 1, 0]], atol=1e-9)


def test_arcfaces_template_is_the_one_that_mobilefaceswap_stretches_to() -> None:
    """Whose matrices are the recorded ones."""
    np.testing.assert_array_equal(TEMPLATES["arcface"], TEMPLATES["arcface-affine"])


def test_a_similarity_is_found_again() -> None:
    turn = np.array([[1.2, -0.5, 30], [0.5, 1.2, -7]])
    points = transform(TEMPLATES["simswap-frontal"][0] * 224, turn)
    np.testing.assert_allclose(similarity(points, "simswap-frontal", 224), inverse(turn), atol=1e-9)


def test_mirrored_points_give_no_mirrored_matrix() -> None:
    points = TEMPLATES["simswap-frontal"][0] * 224 * [-1, 1]
    assert np.linalg.det(similarity(points, "simswap-frontal", 224)[:, :2]) > 0


def test_unknown_template_names_the_known() -> None:
    with pytest.raises(UsageError, match="arcface"):
        similarity(np.zeros((5, 2)), "square", 112)


def test_a_crop_shows_the_points_where_the_template_wants_them() -> None:
    frame = np.zeros((300, 400, 3), np.uint8)
    points = TEMPLATES["simswap-frontal"][0] * 150 + [90, 60]
    for point in points:
        cv2.circle(frame, tuple(round(v) for v in point), 3, (255, 255, 255), -1)
    crop = crop_face(frame, face_at(points), "simswap-frontal", 224)
    for x, y in TEMPLATES["simswap-frontal"][0] * 224:
        assert crop.image[round(y), round(x)].min() > 200


def test_a_face_over_the_border_is_filled_by_reflection() -> None:
    frame = np.full((200, 200, 3), 90, np.uint8)
    crop = crop_face(frame, face_at(TEMPLATES["simswap-frontal"][0] * 160 - [60, 50]), "simswap-frontal", 128)
    assert crop.image.min() == crop.image.max() == 90


def test_shrinking_averages_what_a_bilinear_warp_would_skip() -> None:
    stripes = np.zeros((512, 512), np.uint8)
    stripes[:, ::8] = 255  # one column of eight is bright: the mean is 32
    small = warp(stripes, np.array([[0.125, 0, 0], [0, 0.125, 0]]), (64, 64), cv2.BORDER_REFLECT_101)
    assert abs(float(small.mean()) - 255 / 8) < 2
    assert small.std() < 4


def test_the_way_back_is_the_inverse() -> None:
    matrix = similarity(TEMPLATES["arcface"][0] * 300 + [20, 30], "simswap-five", 224)
    points = np.array([[0.0, 0.0], [10, 200], [77, 3]])
    np.testing.assert_allclose(transform(transform(points, matrix), inverse(matrix)), points, atol=1e-9)


@pytest.mark.parametrize("left, right", [(0, 4), (1, 3), (2, 2)])
def test_a_pose_of_the_five_is_the_mirror_image_of_another(left: int, right: int) -> None:
    """Mirrored at 56.2065 of 112 pixels, the frontal one at 56, as SimSwap has them; eyes and corners change places."""
    poses, middle = TEMPLATES["simswap-five"] * 112, 56.0 if left == right else 56.2065
    mirrored = [2 * middle, 0] + poses[left][[1, 0, 2, 4, 3]] * [-1, 1]
    np.testing.assert_allclose(poses[right], mirrored, atol=2e-3)
