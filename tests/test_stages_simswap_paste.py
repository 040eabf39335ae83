"""`--paste simswap` gives the mask and the border that SimSwap's own scripts were recorded to give."""

import numpy as np
import pytest

from faceswap_cli.options import Options
from faceswap_cli.portrait.open_bundle import OpenBundle
from faceswap_cli.stages.align import TEMPLATES, inverse, similarity
from faceswap_cli.stages.bundle import find_bundle
from faceswap_cli.stages.mask import ParsedMask
from faceswap_cli.stages.paste import paste
from faceswap_cli.stages.simswap_paste import SimSwapMask, border_weights, paste_simswap, softly_eroded
from faceswap_cli.types import Crop, Face
from tests.golden.arrays import arrays

SIZE = 64


def crop_of(side: float, x: float, y: float, class_probs: np.ndarray | None = None) -> Crop:
    points = (TEMPLATES["simswap-frontal"][0] * side + [x, y]).astype(np.float32)
    image = np.full((SIZE, SIZE, 3), 100, np.uint8)
    face = Face(np.array([x, y, x + side, y + side], np.float32), points, 1.0)
    return Crop(image, similarity(points, "simswap-frontal", SIZE), face, class_probs)


def seen(labels: np.ndarray) -> np.ndarray:
    return (np.arange(19)[:, None, None] == labels).astype(np.float32)


def test_the_border_is_the_recorded_one() -> None:
    golden = arrays("align")
    to_frame = inverse(golden["M_frontal_224_None"])
    alpha, x, y = border_weights(to_frame, 224, (640, 640, 3))
    whole = np.zeros((640, 640), np.float32)
    whole[y : y + alpha.shape[0], x : x + alpha.shape[1]] = alpha
    np.testing.assert_allclose(whole[300], golden["simswap_paste_mask_row300"], atol=1 / 255)
    assert whole.sum() == pytest.approx(float(golden["simswap_paste_mask_sum"]), rel=1e-3)
    assert whole.max() == pytest.approx(1)


def test_the_soft_erosion_is_the_recorded_one() -> None:
    golden = arrays("misc")
    found = softly_eroded((golden["soft_erosion_in"] > 0).astype(np.float32))
    np.testing.assert_allclose(found, golden["soft_erosion_out"], atol=1e-5)


def test_the_mask_is_the_face_and_all_of_the_crop_where_there_is_none() -> None:
    labels = np.zeros((SIZE, SIZE), int)
    labels[:, 20:] = 17  # hair
    labels[16:48, 16:48] = 1
    (mask,) = SimSwapMask().mask([crop_of(200, 50, 50, seen(labels))])
    assert mask[32, 32] == 1
    assert max(mask[32, 5], mask[5, 40]) < 1e-6
    labels[labels == 1] = 0
    labels[:4, :4] = 1  # 16 pixels: fewer than 5000 / 255
    (mask,) = SimSwapMask().mask([crop_of(200, 50, 50, seen(labels))])
    assert mask.min() == 1
    (mask,) = SimSwapMask().mask([crop_of(200, 50, 50)])
    assert mask.min() == 1


def test_what_the_mask_leaves_is_the_crops_own_and_the_rest_the_swaps() -> None:
    crop = crop_of(200, 50, 60)
    weights = np.zeros((SIZE, SIZE), np.float32)
    weights[:, 32:] = 0.5
    patch = paste_simswap((320, 300, 3), crop, np.full((SIZE, SIZE, 3), 200, np.uint8), weights)
    assert patch is not None
    middle = patch.rgb[160 - patch.y]
    assert middle[100 - patch.x].tolist() == [100] * 3  # 50 + 50: the left half
    assert middle[200 - patch.x].tolist() == [150] * 3  # half of 200, half of 100
    assert patch.alpha[160 - patch.y, 150 - patch.x] == pytest.approx(1)
    assert patch.alpha[160 - patch.y, 51 - patch.x] < 0.01


def test_a_face_smaller_than_the_border_and_one_outside_are_not_pasted() -> None:
    white, all_of_it = np.full((SIZE, SIZE, 3), 255, np.uint8), np.ones((SIZE, SIZE), np.float32)
    assert paste_simswap((320, 300, 3), crop_of(36, 50, 60), white, all_of_it) is None
    assert paste_simswap((320, 300, 3), crop_of(200, 900, 60), white, all_of_it) is None
    assert paste_simswap((320, 300, 3), crop_of(60, 50, 60), white, all_of_it) is not None


def test_the_option_chooses_mask_and_paste() -> None:
    for name, mask, way in (("soft", ParsedMask, paste), ("simswap", SimSwapMask, paste_simswap)):
        options = Options(paste=name, device="cpu", threads=1)
        opened = OpenBundle(find_bundle(options), options)
        assert isinstance(opened.masker, mask) and opened.paste is way


def test_a_face_over_the_upper_left_corner_begins_at_the_frames_own() -> None:
    alpha, x, y = border_weights(inverse(crop_of(200, -60, -50).to_crop), SIZE, (320, 300, 3))
    assert (x, y) == (0, 0)
    assert alpha[:60, :50].min() > 0.99  # at the frame's border nothing is drawn in


@pytest.mark.parametrize(("frame", "shape"), [((320, 300, 3), (281, 281)), ((280, 220, 3), (260, 210))])
def test_a_border_is_as_large_as_the_crop_and_forty_pixels_around_it(
    frame: tuple[int, int, int], shape: tuple[int, int]
) -> None:
    """From 50.5 and 60.5 to 250.5 and 260.5: 10 to 291 and 20 to 301, no further than the frame."""
    alpha, x, y = border_weights(inverse(crop_of(200, 50.5, 60.5).to_crop), SIZE, frame)
    assert (x, y, alpha.shape) == (10, 20, shape)
