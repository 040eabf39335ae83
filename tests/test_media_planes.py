"""Blending in every pixel format: what lies outside stays the decoded sample, what lies inside is the patch."""

import numpy as np
import pytest
from av import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter

from faceswap_cli.media.orientation import EXIF_ORIENTATIONS
from faceswap_cli.media.planes import blend, layout_of, samples_of, to_working_format
from faceswap_cli.types import Patch

from .media_oracle import planes

FORMATS = [
    "yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuv440p", "yuv411p", "yuv420p10le",
    "yuv422p10le", "yuv444p10le", "yuv420p12le", "yuv422p12le", "yuv444p16le", "yuv420p10be", "nv12", "nv21",
    "nv16", "nv24", "p010le", "p016le", "p210le", "gray", "gray10le", "gray16le", "ya8", "ya16le", "rgb24",
    "bgr24", "rgba", "bgra", "argb", "abgr", "rgb0", "bgr0", "0rgb", "rgb48le", "rgba64le", "gbrp", "gbrp10le",
    "gbrp12le", "gbrap", "gbrap16le", "yuva420p", "yuva422p", "yuva444p", "yuva444p10le",
]  # fmt: skip
WIDTH, HEIGHT = 50, 38


def noise_picture(pixel_format: str, width: int = WIDTH, height: int = HEIGHT) -> VideoFrame:
    """A picture whose samples are all legal random numbers."""
    picture = VideoFrame(width, height, pixel_format)
    layout = layout_of(pixel_format)
    for plane in picture.planes:
        np.frombuffer(plane, np.uint8)[:] = 77
    for number in range(len(layout.components)):
        samples = samples_of(picture, layout, number)
        top = (1 << layout.bits) - 1
        samples[:] = np.random.default_rng(number).integers(0, top + 1, samples.shape) << layout.shift
    return picture


def plain_patch(x: int, y: int, width: int, height: int, colour: tuple[int, int, int] = (180, 90, 60)) -> Patch:
    rgb = np.broadcast_to(np.array(colour, np.uint8), (height, width, 3)).copy()
    return Patch(x, y, rgb, np.ones((height, width), np.float32))


def exact_rgb(picture: VideoFrame, matrix: int) -> np.ndarray:
    """swscale's conversion to RGB with its roundings switched to the exact ones."""
    exact = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
    return VideoReformatter().reformat(picture, format="rgb24", src_colorspace=matrix, interpolation=exact).to_ndarray()


def touched(component: object, patch: Patch, samples: np.ndarray) -> np.ndarray:
    """Mark the samples whose block of luma pixels meets the patch's rectangle."""
    marked = np.zeros(samples.shape, bool)
    step_x, step_y = 1 << component.halvings_x, 1 << component.halvings_y
    rows = slice(patch.y // step_y, -(-(patch.y + patch.alpha.shape[0]) // step_y))
    columns = slice(patch.x // step_x, -(-(patch.x + patch.alpha.shape[1]) // step_x))
    marked[rows, columns] = True
    return marked


@pytest.mark.parametrize("pixel_format", FORMATS)
@pytest.mark.parametrize("place", [(7, 5, 13, 9), (0, 0, 11, 7), (37, 29, 13, 9), (8, 6, 12, 10)])
def test_samples_outside_the_patch_stay_the_decoded_ones(pixel_format: str, place: tuple[int, int, int, int]) -> None:
    picture, patch = noise_picture(pixel_format), plain_patch(*place)
    before = planes(picture)
    layout = layout_of(pixel_format)
    result = blend(picture, [patch])
    for number, component in enumerate(layout.components):
        old, new = samples_of(picture, layout, number), samples_of(result, layout, number)
        inside = touched(component, patch, old)
        assert np.array_equal(old[~inside], new[~inside])
        assert not np.array_equal(old[inside], new[inside])
    assert all(np.array_equal(old, new) for old, new in zip(before, planes(picture), strict=True))


@pytest.mark.parametrize("pixel_format", FORMATS)
def test_samples_without_weight_stay_even_inside_the_patch(pixel_format: str) -> None:
    picture = noise_picture(pixel_format)
    patch = plain_patch(9, 7, 21, 15)
    patch.alpha[:] = 0
    result = blend(picture, [patch])
    assert all(np.array_equal(old, new) for old, new in zip(planes(picture), planes(result), strict=True))


@pytest.mark.parametrize("pixel_format", [name for name in FORMATS if not name.startswith(("gray", "ya"))])
def test_a_patch_shows_in_its_own_colour(pixel_format: str) -> None:
    picture = noise_picture(pixel_format)
    result = blend(picture, [plain_patch(8, 8, 24, 16)])
    matrix = 5  # untagged and small: 601
    shown = exact_rgb(result, matrix)
    assert np.abs(shown[12:20, 14:26].astype(int) - (180, 90, 60)).max() <= 3


@pytest.mark.parametrize("pixel_format", ["gray", "gray10le", "ya8"])
def test_grey_takes_the_luma_of_the_patch(pixel_format: str) -> None:
    layout = layout_of(pixel_format)
    result = blend(noise_picture(pixel_format), [plain_patch(8, 8, 24, 16)])
    expected = (0.299 * 180 + 0.587 * 90 + 0.114 * 60) / 255 * ((1 << layout.bits) - 1)
    assert abs(int(samples_of(result, layout, 0)[12, 12]) - expected) <= 1


@pytest.mark.parametrize(
    ("pixel_format", "plane", "first", "step"),
    [("yuva420p", 3, 0, 1), ("yuva444p10le", 3, 0, 1), ("rgba", 0, 3, 4), ("gbrap", 3, 0, 1), ("ya8", 0, 1, 2)],
)
def test_transparency_stays_untouched(pixel_format: str, plane: int, first: int, step: int) -> None:
    picture = noise_picture(pixel_format)
    transparency = np.frombuffer(picture.planes[plane], np.uint8)[first::step]
    transparency[:] = np.arange(len(transparency)) // 100 % 256
    result = blend(picture, [plain_patch(8, 8, 24, 16)])
    before, after = (planes(each)[plane][:, first::step] for each in (picture, result))
    assert np.array_equal(before, after)
    assert len(np.unique(before)) > 2


@pytest.mark.parametrize(("matrix", "swscale"), [(1, 1), (6, 5), (9, 9)])
@pytest.mark.parametrize("full_range", [False, True])
def test_matrix_and_range_follow_the_tags(matrix: int, swscale: int, full_range: bool) -> None:
    picture = noise_picture("yuv444p")
    picture.colorspace, picture.color_range = matrix, 2 if full_range else 1
    result = blend(picture, [plain_patch(8, 8, 24, 16)])
    assert (result.colorspace, result.color_range) == (matrix, 2 if full_range else 1)
    shown = exact_rgb(result, swscale)
    assert np.abs(shown[12, 12].astype(int) - (180, 90, 60)).max() <= 2


def test_half_weight_mixes_half_and_half() -> None:
    picture = noise_picture("yuv444p")
    patch = plain_patch(0, 0, WIDTH, HEIGHT)
    full = samples_of(blend(picture, [patch]), layout_of("yuv444p"), 0).astype(float)
    patch.alpha[:] = 0.5
    half = samples_of(blend(picture, [patch]), layout_of("yuv444p"), 0)
    old = samples_of(picture, layout_of("yuv444p"), 0)
    assert np.abs(half - (old + full) / 2).max() <= 1


def test_ten_bits_carry_steps_finer_than_eight() -> None:
    picture = noise_picture("yuv420p10le")
    ramp = plain_patch(0, 0, 48, 32)
    ramp.alpha[:] = np.linspace(0, 1, 48, dtype=np.float32)
    luma = samples_of(picture, layout_of("yuv420p10le"), 0)
    luma[:] = 64
    result = samples_of(blend(picture, [ramp]), layout_of("yuv420p10le"), 0)[0, :48]
    assert len(np.unique(result % 4)) == 4


def test_chroma_follows_the_patch_at_the_pictures_very_edge() -> None:
    picture = noise_picture("yuv420p", width=51, height=39)
    result = blend(picture, [plain_patch(0, 0, 51, 39)])
    for number in range(3):
        assert len(np.unique(samples_of(result, layout_of("yuv420p"), number))) == 1


@pytest.mark.parametrize("orientation", EXIF_ORIENTATIONS.values())
def test_a_turned_picture_takes_the_patch_upright(orientation: object) -> None:
    picture = noise_picture("rgb24")
    expected = orientation.to_upright(picture.to_ndarray())
    expected[5:14, 3:18] = (180, 90, 60)
    result = blend(picture, [plain_patch(3, 5, 15, 9)], orientation)
    assert np.array_equal(orientation.to_upright(result.to_ndarray()), expected)


@pytest.mark.parametrize("pixel_format", ["yuyv422", "uyvy422", "y210le", "pal8", "rgb565le", "x2rgb10le", "monow"])
def test_packed_formats_are_unpacked_first(pixel_format: str) -> None:
    picture = VideoFrame(WIDTH, HEIGHT, pixel_format)
    for plane in picture.planes:
        np.frombuffer(plane, np.uint8)[:] = 85
    working = to_working_format(picture, VideoReformatter())
    assert layout_of(working.format.name) is not None
    first, second = (
        VideoReformatter().reformat(each, format="rgb24", threads=1).to_ndarray() for each in (picture, working)
    )
    assert np.abs(first.astype(int) - second.astype(int)).max() <= 2


def test_nothing_to_lay_gives_the_very_picture() -> None:
    picture = noise_picture("yuv420p")
    assert blend(picture, []) is picture
