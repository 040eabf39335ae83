"""The eight ways a picture can lie: there and back, and as Pillow and ffmpeg turn it."""

import io

import numpy as np
import pytest
from PIL import Image, ImageOps

from faceswap_cli.media.orientation import EXIF_ORIENTATIONS, Orientation, from_display_matrix
from faceswap_cli.types import Patch

ALL = list(EXIF_ORIENTATIONS.values())
PICTURE = np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)


@pytest.mark.parametrize("orientation", ALL)
def test_to_stored_undoes_to_upright(orientation: Orientation) -> None:
    assert np.array_equal(orientation.to_stored(orientation.to_upright(PICTURE)), PICTURE)


@pytest.mark.parametrize("number", range(1, 9))
def test_exif_orientations_turn_as_pillow_does(number: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = number
    file = io.BytesIO()
    Image.fromarray(PICTURE).save(file, "PNG", exif=exif)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(file)))
    assert np.array_equal(EXIF_ORIENTATIONS[number].to_upright(PICTURE), expected)


@pytest.mark.parametrize("orientation", ALL)
def test_a_patch_lands_where_it_was_in_the_upright_picture(orientation: Orientation) -> None:
    upright = orientation.to_upright(PICTURE)
    rgb = np.full((2, 3, 3), 7, np.uint8)
    patch = Patch(x=1, y=2, rgb=rgb, alpha=np.ones((2, 3), np.float32))
    expected = upright.copy()
    expected[2:4, 1:4] = 7
    stored = orientation.patch_to_stored(patch, width=9, height=6)
    painted = PICTURE.copy()
    painted[stored.y : stored.y + stored.rgb.shape[0], stored.x : stored.x + stored.rgb.shape[1]] = stored.rgb
    assert np.array_equal(orientation.to_upright(painted), expected)


@pytest.mark.parametrize(
    ("matrix", "degrees"),
    [
        ((65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30), 0),
        ((0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30), 90),
        ((-65536, 0, 0, 0, -65536, 0, 0, 0, 1 << 30), 180),
        ((0, -65536, 0, 65536, 0, 0, 0, 0, 1 << 30), 270),
    ],
)
def test_display_matrices_give_the_clockwise_turn(matrix: tuple[int, ...], degrees: int) -> None:
    assert from_display_matrix(matrix).degrees == degrees
    assert from_display_matrix(matrix).display_matrix() == matrix


@pytest.mark.parametrize("orientation", ALL)
def test_a_display_matrix_is_read_as_it_was_written(orientation: Orientation) -> None:
    assert from_display_matrix(orientation.display_matrix()) == orientation


def test_a_slight_tilt_counts_as_none() -> None:
    assert from_display_matrix((65000, 3000, 0, -3000, 65000, 0, 0, 0, 1 << 30)) == Orientation()
