"""Pasting: only the face's rectangle, and a copy through crop and back leaves no seam."""

import cv2
import numpy as np
import pytest

from faceswap_cli.stages.align import TEMPLATES, crop_face
from faceswap_cli.stages.mask import OvalMask
from faceswap_cli.stages.paste import overlaid, paste
from faceswap_cli.types import Crop, Face, Patch

SIZE = 128


def scene(height: int = 360, width: int = 480) -> np.ndarray:
    coarse = np.random.default_rng(3).integers(0, 256, (height // 24, width // 24, 3), dtype=np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def face_at(x: float, y: float, side: float) -> Face:
    points = TEMPLATES["simswap-frontal"][0] * side + [x, y]
    return Face(np.array([x, y, x + side, y + side], np.float32), points.astype(np.float32), 0.9)


def pasted(frame: np.ndarray, face: Face) -> tuple[Crop, Patch | None]:
    crop = crop_face(frame, face, "simswap-frontal", SIZE)
    return crop, paste(frame.shape, crop, crop.image, OvalMask(0.06).mask([crop])[0])


def composited(frame: np.ndarray, patch: Patch) -> np.ndarray:
    result = frame.astype(np.float32)
    height, width = patch.alpha.shape
    region = result[patch.y : patch.y + height, patch.x : patch.x + width]
    region += (patch.rgb - region) * patch.alpha[..., None]
    return result


@pytest.mark.parametrize("side", [60, 128, 200])
def test_a_copy_leaves_no_seam(side: int) -> None:
    frame = scene()
    _, patch = pasted(frame, face_at(120, 80, side))
    difference = np.abs(composited(frame, patch) - frame)
    assert difference.mean() < 0.1
    assert difference.max() < 8


def test_a_copy_stays_where_it_was() -> None:
    rows, columns = np.mgrid[:300, :300]
    spot = 250 * np.exp(-((columns - 150.5) ** 2 + (rows - 150.5) ** 2) / 72)
    frame = np.repeat(spot[..., None], 3, axis=2).round().astype(np.uint8)
    _, patch = pasted(frame, face_at(76.3, 70.8, 150))
    weights = patch.rgb[..., 0].astype(float)
    rows, columns = np.mgrid[: weights.shape[0], : weights.shape[1]]
    centre = np.array([(weights * columns).sum(), (weights * rows).sum()]) / weights.sum() + [patch.x, patch.y]
    np.testing.assert_allclose(centre, [150.5, 150.5], atol=0.05)


def test_the_rectangle_holds_all_that_changes_and_little_more() -> None:
    _, patch = pasted(scene(), face_at(120, 80, 160))
    visible = np.argwhere(patch.alpha > 0)
    assert (visible.min(axis=0) <= 4).all()
    assert (np.array(patch.alpha.shape) - 1 - visible.max(axis=0) <= 4).all()


def test_the_edge_of_the_rectangle_is_transparent() -> None:
    _, patch = pasted(scene(), face_at(120, 80, 160))
    edge = [patch.alpha[0], patch.alpha[-1], patch.alpha[:, 0], patch.alpha[:, -1]]
    assert max(each.max() for each in edge) < 1 / 255


@pytest.mark.parametrize(("x", "y"), [(-60, 40), (420, 40), (100, -50), (100, 300)])
def test_a_face_over_the_border_is_clipped_to_the_frame(x: float, y: float) -> None:
    frame = scene()
    _, patch = pasted(frame, face_at(x, y, 140))
    height, width = patch.alpha.shape
    assert patch.rgb.shape == (height, width, 3)
    assert min(patch.x, patch.y) >= 0
    assert patch.x + width <= frame.shape[1]
    assert patch.y + height <= frame.shape[0]
    assert np.abs(composited(frame, patch) - frame).mean() < 0.5


def test_a_face_outside_the_frame_changes_nothing() -> None:
    assert pasted(scene(), face_at(2000, 80, 100))[1] is None


def test_an_empty_mask_changes_nothing() -> None:
    crop, _ = pasted(scene(), face_at(120, 80, 100))
    assert paste((360, 480, 3), crop, crop.image, np.zeros((SIZE, SIZE), np.float32)) is None


def test_two_layers_become_one_by_their_weights() -> None:
    """Half of 100 under half of 200: three quarters together, two thirds of them the upper's, 166.7."""
    under, over = (
        Patch(x, 3, np.full((2, 2, 3), level, np.uint8), np.full((2, 2), 0.5, np.float32))
        for x, level in ((4, 100), (5, 200))
    )
    both = overlaid(under, over, 0.5)
    assert both is not None and (both.x, both.y, both.rgb.shape) == (4, 3, (2, 3, 3))
    assert both.rgb[0, :, 0].tolist() == [100, 167, 200]
    assert both.alpha[1].tolist() == [0.25, 0.375, 0.25]  # half of it shown
    alone = overlaid(None, over, 0.5)
    assert alone is not None and alone.alpha.max() == alone.alpha.min() == 0.25
    assert overlaid(under, None, 1.0) is None
