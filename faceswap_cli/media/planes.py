"""Blend patches into the planes of a decoded picture, in its own pixel format, depth, matrix and range.

Last stop before the encoder. Only the samples under a patch are calculated; every sample whose weight is 0 stays the
decoded one. Chroma of 4:2:0 and 4:2:2 lies level with every second luma column and midway between two luma rows, as
MPEG-2 and H.264 assume when nothing is tagged.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import av
import cv2
import numpy as np
from av.video.format import VideoFormat
from av.video.reformatter import VideoReformatter

from ..types import Patch
from .colour import colours_of
from .orientation import UPRIGHT, Orientation

# Plane and offset (in samples) of each component where planes hold several: colour first, alpha last.
INTERLEAVED = {
    "nv12": ((0, 0), (1, 0), (1, 1)),
    "nv21": ((0, 0), (1, 1), (1, 0)),
    "nv16": ((0, 0), (1, 0), (1, 1)),
    "nv24": ((0, 0), (1, 0), (1, 1)),
    "nv42": ((0, 0), (1, 1), (1, 0)),
    "nv20": ((0, 0), (1, 0), (1, 1)),
    "ya8": ((0, 0), (0, 1)),
    "ya16": ((0, 0), (0, 1)),
} | {f"p{chroma}{depth}": ((0, 0), (1, 0), (1, 1)) for chroma in "024" for depth in ("10", "12", "16")}
PACKED_RGB = re.compile(r"(rgb|bgr|rgba|bgra|argb|abgr|rgb0|bgr0|0rgb|0bgr)(24|48|64)?")
PLANAR = re.compile(r"(yuvj?4..p|yuva4..p|gbrp|gbrap|gray)(9|1\d)?")

# Formats that are unpacked without loss before anything else; what is not named goes by depth and alpha.
UNPACKED = {
    "yuyv422": "yuv422p",
    "uyvy422": "yuv422p",
    "yvyu422": "yuv422p",
    "uyyvyy411": "yuv411p",
    "y210": "yuv422p10le",
    "y212": "yuv422p12le",
    "xv30": "yuv444p10le",
    "xv36": "yuv444p12le",
    "vuya": "yuva444p",
    "vuyx": "yuv444p",
    "v30x": "yuv444p10le",
    "x2rgb10": "gbrp10le",
    "x2bgr10": "gbrp10le",
    "pal8": "rgba",
}


@dataclass(frozen=True, slots=True)
class Component:
    """Where the samples of one component lie."""

    plane: int
    offset: int  # in samples from the start of a row
    step: int  # samples from one to the next
    halvings_x: int  # log2 of luma samples per sample across
    halvings_y: int


@dataclass(frozen=True, slots=True)
class Layout:
    """How a pixel format stores its colour components; alpha is left out, nothing here ever changes it."""

    components: tuple[Component, ...]
    dtype: np.dtype
    bits: int
    shift: int  # unused low bits of each sample (p010: 6)
    is_rgb: bool


def blend(picture: av.VideoFrame, patches: Sequence[Patch], orientation: Orientation = UPRIGHT) -> av.VideoFrame:
    """Lay patches of the upright picture over the stored one; `orientation` leads from stored to upright.

    Returns a new picture of the same format, time and tags, or `picture` itself where there is nothing to lay.
    """
    if not patches:
        return picture
    layout = layout_of(picture.format.name)
    if layout is None:
        raise ValueError(f"pixel format {picture.format.name} was not brought to a working format")
    result = copy_picture(picture)
    for patch in patches:
        stored = orientation.patch_to_stored(patch, picture.width, picture.height)
        _blend_patch(result, layout, stored)
    return result


def layout_of(name: str) -> Layout | None:
    """Describe a pixel format; None when its samples cannot be addressed one by one."""
    stem = _stem(name)
    video_format = VideoFormat(name, 64, 64)
    colour = [component for component in video_format.components if not component.is_alpha]
    places = _places(stem, video_format)
    bits = colour[0].bits
    if places is None or bits > 16:
        return None
    planes = [plane for plane, _ in places]
    steps = [max(planes.count(plane), _row_samples(stem) if plane == 0 else 0) for plane in planes]
    components = tuple(
        Component(plane, offset, step, (64 // part.width).bit_length() - 1, (64 // part.height).bit_length() - 1)
        for (plane, offset), step, part in zip(places, steps, colour, strict=False)
    )
    byte_order = ">" if video_format.is_big_endian else "<"
    dtype = np.dtype(np.uint8 if bits == 8 else f"{byte_order}u2")
    shift = dtype.itemsize * 8 - bits if re.match(r"p[024]1|nv20", stem) and stem != "nv20" else 0
    return Layout(components, dtype, bits, shift, video_format.is_rgb)


def to_working_format(picture: av.VideoFrame, reformatter: VideoReformatter) -> av.VideoFrame:
    """Unpack a picture whose samples cannot be addressed one by one; others pass untouched."""
    name = working_format(picture.format.name)
    if name == picture.format.name:
        return picture
    # One thread: where swscale cuts a picture into slices, it leaves samples of y210 unwritten in a slice's first row.
    return reformatter.reformat(picture, format=name, threads=1)


def working_format(name: str) -> str:
    """Name the pixel format a picture is worked on in: its own, or the nearest whose samples can be addressed."""
    if layout_of(name) is not None:
        return name
    if _stem(name) in UNPACKED:
        return UNPACKED[_stem(name)]
    components = VideoFormat(name, 64, 64).components
    deep = any(component.bits > 8 for component in components)
    if any(component.is_alpha for component in components):
        return "rgba64le" if deep else "rgba"
    return "rgb48le" if deep else "rgb24"


def copy_picture(picture: av.VideoFrame) -> av.VideoFrame:
    """Copy samples, time and colour tags; decoders still refer to pictures they have given out."""
    copy = av.VideoFrame(picture.width, picture.height, picture.format.name)
    for source, target in zip(picture.planes, copy.planes, strict=True):
        length = min(source.line_size, target.line_size)
        _rows(target, np.dtype(np.uint8))[:, :length] = _rows(source, np.dtype(np.uint8))[:, :length]
    copy.pts, copy.duration = picture.pts, picture.duration
    if picture.time_base is not None:
        copy.time_base = picture.time_base
    copy.colorspace, copy.color_range = picture.colorspace, picture.color_range
    copy.color_primaries, copy.color_trc = picture.color_primaries, picture.color_trc
    return copy


def samples_of(picture: av.VideoFrame, layout: Layout, number: int) -> np.ndarray:
    """Give a writable (rows, columns) view of one component's samples."""
    component = layout.components[number]
    width = -(-picture.width >> component.halvings_x)
    height = -(-picture.height >> component.halvings_y)
    rows = _rows(picture.planes[component.plane], layout.dtype)
    return rows[:height, component.offset :: component.step][:, :width]


def _stem(name: str) -> str:
    return re.sub(r"[lb]e$", "", name)


def _row_samples(stem: str) -> int:
    """Count the samples of one pixel in a packed RGB or grey-with-alpha format."""
    packed = PACKED_RGB.fullmatch(stem)
    if packed:
        return len(packed[1])
    return 2 if stem.startswith("ya") else 0


def _places(stem: str, video_format: VideoFormat) -> tuple[tuple[int, int], ...] | None:
    packed = PACKED_RGB.fullmatch(stem)
    if packed:
        return tuple((0, packed[1].index(letter)) for letter in "rgb")
    if stem in INTERLEAVED:
        return INTERLEAVED[stem][:1] if stem.startswith("ya") else INTERLEAVED[stem]
    if PLANAR.fullmatch(stem):
        return tuple((component.plane, 0) for component in video_format.components if not component.is_alpha)
    return None


def _rows(plane: av.video.plane.VideoPlane, dtype: np.dtype) -> np.ndarray:
    """View a plane as rows with their padding."""
    samples = np.frombuffer(memoryview(plane), np.uint8)
    height = min(plane.height, plane.buffer_size // plane.line_size)
    return samples[: height * plane.line_size].reshape(height, plane.line_size).view(dtype)


def _blend_patch(picture: av.VideoFrame, layout: Layout, patch: Patch) -> None:
    values = cv2.split(_stored_values(picture, layout, patch.rgb))
    weights: dict[tuple[int, int], np.ndarray] = {(0, 0): patch.alpha}  # both colours are as coarse
    for number, component in enumerate(layout.components):
        samples = samples_of(picture, layout, number)
        coarseness = component.halvings_x, component.halvings_y
        x, y = patch.x >> component.halvings_x, patch.y >> component.halvings_y
        weighted = patch.alpha * values[number]
        if coarseness not in weights:
            weights[coarseness] = _shrink(patch.alpha, patch, picture, component)
        weight = weights[coarseness]
        if coarseness != (0, 0):
            weighted = _shrink(weighted, patch, picture, component)
        rows, columns = weight.shape
        _lay_over(samples[y : y + rows, x : x + columns], weight, weighted, layout)


def _stored_values(picture: av.VideoFrame, layout: Layout, rgb: np.ndarray) -> np.ndarray:
    """Turn (h, w, 3) uint8 RGB into the numbers the picture's components hold, (h, w, 3 or 1) float32, unshifted."""
    top = float((1 << layout.bits) - 1)
    if layout.is_rgb:
        return rgb.astype(np.float32) * np.float32(top / 255)
    colours = colours_of(picture)
    scale, offset = colours.code_values(layout.bits)
    matrix = colours.from_rgb() * (scale / 255)[:, None]
    matrix[:, 3] = offset
    return cv2.transform(rgb.astype(np.float32), matrix.astype(np.float32)[: len(layout.components)]).reshape(
        *rgb.shape[:2], -1
    )


def _shrink(values: np.ndarray, patch: Patch, picture: av.VideoFrame, component: Component) -> np.ndarray:
    """Bring luma-sized (h, w) numbers to the chroma grid: the share of each chroma sample that lies in the patch."""
    step_x, step_y = 1 << component.halvings_x, 1 << component.halvings_y
    height, width = values.shape
    left, top = patch.x % step_x, patch.y % step_y
    right, bottom = -(left + width) % step_x, -(top + height) % step_y
    at_edge = (
        patch.y == 0,
        patch.y + height == picture.height,
        patch.x == 0,
        patch.x + width == picture.width,
    )
    padded = _padded(values, (top, bottom, left + 1, right), at_edge)
    columns = _columns(padded, step_x)
    rows = columns.shape[0] // step_y
    return columns.reshape(rows, step_y, -1).mean(axis=1)


def _padded(values: np.ndarray, amounts: tuple[int, int, int, int], at_edge: tuple[bool, ...]) -> np.ndarray:
    """Pad top, bottom, left, right: by repetition at the picture's edge, with nothing inside the picture."""
    repeated = [amount if edge else 0 for amount, edge in zip(amounts, at_edge, strict=True)]
    empty = [amount - done for amount, done in zip(amounts, repeated, strict=True)]
    return _bordered(_bordered(values, repeated, cv2.BORDER_REPLICATE), empty, cv2.BORDER_CONSTANT)


def _bordered(values: np.ndarray, amounts: list[int], kind: int) -> np.ndarray:
    top, bottom, left, right = amounts
    return cv2.copyMakeBorder(values, top, bottom, left, right, kind, value=0)


def _columns(padded: np.ndarray, step: int) -> np.ndarray:
    """Filter and thin out columns; `padded` has one extra column at the left."""
    if step == 1:
        return padded[:, 1:]
    if step == 2:
        return (padded[:, :-1:2] + 2 * padded[:, 1::2] + padded[:, 2::2]) / 4
    return padded[:, 1:].reshape(len(padded), -1, step).mean(axis=2)


def _lay_over(samples: np.ndarray, weight: np.ndarray, weighted: np.ndarray, layout: Layout) -> None:
    """Put `weighted` + (1 - `weight`) x old into `samples`, where there is any weight."""
    old = samples >> layout.shift if layout.shift else samples
    mixed = np.rint(old * (1 - weight) + weighted)
    new = np.clip(mixed, 0, (1 << layout.bits) - 1).astype(layout.dtype) << layout.shift
    np.copyto(samples, new.astype(layout.dtype), where=weight > 0)
