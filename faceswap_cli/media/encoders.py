"""Which encoder writes which codec, how one quality scale maps to each, and which pixel format loses least.

Quality runs from 0 (smallest file) to 100 (lossless where the codec can be). The maps were measured on real clips; see
the table in examples/formats.md.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import av
from av.video.format import VideoFormat

from ..errors import UsageError

MAXIMUM_THREADS = 16
# How each encoder is told of mastering display and light level: option, its two names, units of colour and light.
HDR_WORDS = {
    "libx264": ("x264-params", "mastering-display", "cll", (50000, 10000)),
    "libx265": ("x265-params", "master-display", "max-cll", (50000, 10000)),
    "libsvtav1": ("svtav1-params", "mastering-display", "content-light", (1, 1)),
}


@dataclass(frozen=True, slots=True)
class Encoder:
    """One codec's encoder and its own scales."""

    library: str  # name of the encoder in the library
    presets: tuple[str, ...]  # from fast to slow; empty where it has none
    preset: str | None  # the default
    settings: Callable[[int, str | None], dict[str, str]]  # quality, preset -> options
    even_sizes: bool  # 4:2:0 and 4:2:2 need an even width and height
    avoided: tuple[str, ...] = ()  # beginnings of pixel formats it takes but few players show
    refused: tuple[str, ...] = ()  # beginnings of pixel formats it names and does not open
    lossless: bool = False  # whether quality 100 gives every sample back


def quality_to_scale(quality: int, points: tuple[tuple[int, int], ...]) -> int:
    """Interpolate an encoder's own scale between (quality, value) points."""
    for (low, at_low), (high, at_high) in pairwise(points):
        if quality <= high:
            return round(at_low + (at_high - at_low) * (quality - low) / (high - low))
    return points[-1][1]


def _x264(quality: int, preset: str | None) -> dict[str, str]:
    crf = quality_to_scale(quality, ((0, 45), (50, 27), (75, 19), (99, 6)))
    # Macroblock trees make the same frames come out otherwise from run to run (seen with AVX-512), and resuming needs
    # them equal. Captions ride on pictures we did not change; half of them would be worse than none.
    settings = {"preset": preset or "", "mbtree": "0", "a53cc": "0"}
    return settings | ({"qp": "0"} if quality == 100 else {"crf": str(crf)})


def _x265(quality: int, preset: str | None) -> dict[str, str]:
    crf = quality_to_scale(quality, ((0, 45), (50, 28), (75, 19), (99, 7)))
    chosen = "lossless=1" if quality == 100 else f"crf={crf}"
    return {"preset": preset or "", "x265-params": f"{chosen}:log-level=none"}


def _svtav1(quality: int, preset: str | None) -> dict[str, str]:
    crf = quality_to_scale(quality, ((0, 63), (50, 38), (75, 22), (99, 4)))
    rate = {"svtav1-params": "lossless=1"} if quality == 100 else {"crf": str(crf)}
    return {"preset": preset or ""} | rate


def _vp9(quality: int, preset: str | None) -> dict[str, str]:
    crf = quality_to_scale(quality, ((0, 63), (50, 36), (75, 20), (99, 4)))
    rate = {"lossless": "1"} if quality == 100 else {"crf": str(crf), "b": "0"}
    return {"deadline": "good", "cpu-used": preset or "", "row-mt": "1", "auto-alt-ref": "1"} | rate


def _prores(quality: int, preset: str | None) -> dict[str, str]:
    return {"profile": str(quality_to_scale(quality, ((0, 0), (40, 1), (60, 2), (80, 3), (100, 3))))}


def _ffv1(quality: int, preset: str | None) -> dict[str, str]:
    return {"level": "3", "slicecrc": "1", "slices": "4"}


X26X_PRESETS = (
    "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow", "placebo"
)  # fmt: skip
SVT_PRESETS = tuple(str(number) for number in range(13, -1, -1))
VPX_PRESETS = tuple(str(number) for number in range(8, -1, -1))
VPX_AVOIDED = ("gbr", "yuva444", "yuva422")
ENCODERS = {
    "h264": Encoder("libx264", X26X_PRESETS, "fast", _x264, even_sizes=True, lossless=True),
    "hevc": Encoder(
        "libx265", X26X_PRESETS, "fast", _x265, even_sizes=True, avoided=("gbr",), refused=("yuva",), lossless=True
    ),
    "av1": Encoder("libsvtav1", SVT_PRESETS, "8", _svtav1, even_sizes=True, lossless=True),
    "vp9": Encoder("libvpx-vp9", VPX_PRESETS, "4", _vp9, even_sizes=False, avoided=VPX_AVOIDED, lossless=True),
    "prores": Encoder("prores_ks", (), None, _prores, even_sizes=True),
    "ffv1": Encoder("ffv1", (), None, _ffv1, even_sizes=False, lossless=True),
}


def encoder_options(encoder: Encoder, quality: int, preset: str | None, pixel_format: str) -> dict[str, str]:
    """Give an encoder's options; UsageError for a preset it does not know."""
    if preset is not None and preset not in encoder.presets:
        known = ", ".join(encoder.presets) or "none: leave the option out"
        raise UsageError(f"preset {preset!r} is unknown to {encoder.library}: choose one of {known}")
    settings = encoder.settings(quality, preset or encoder.preset)
    if encoder is ENCODERS["prores"] and "444" in pixel_format:
        settings["profile"] = "4444xq" if quality >= 80 else "4444"
    return settings


def encoder_threads() -> int:
    """Give a fixed number of threads: the frames some encoders make depend on it."""
    return min(os.cpu_count() or 1, MAXIMUM_THREADS)


def pixel_formats(encoder: Encoder, width: int, height: int) -> list[str]:
    """List the pixel formats an encoder takes for pictures of this size; those in a card's memory are not ours."""
    names = [video_format.name for video_format in av.Codec(encoder.library, "w").video_formats or ()]
    plain = [name for name in names if VideoFormat(name, 64, 64).components and not name.startswith(encoder.refused)]
    return [name for name in plain if _size_fits(name, encoder, width, height)] or plain


def nearest_format(encoder: Encoder, native: str, width: int, height: int) -> str | None:
    """Choose the encoder's pixel format that loses least of `native` for a picture of this size; None: it has none."""
    shunned = ("yuvj", *encoder.avoided)
    names = pixel_formats(encoder, width, height)
    fitting = [name for name in names if name == native or not name.startswith(shunned)]
    return min(fitting, key=lambda name: _distance(native, name), default=None)


def what_is_lost(native: str, chosen: str) -> list[str]:
    """Say in words for people what samples of `native` lose when they are written as `chosen`."""
    have, other = _shape(native), _shape(chosen)
    coarser = other.halvings_x > have.halvings_x or other.halvings_y > have.halvings_y
    lost = {
        f"{have.bits} bits become {other.bits}": have.bits > other.bits,
        "transparency is left out": have.alpha and not other.alpha,
        "colour is left out": have.channels > other.channels,
        "colour gets coarser": have.channels == other.channels and coarser,
        "RGB and YUV are rounded": have.is_rgb != other.is_rgb and have.channels == other.channels,
    }
    return [words for words, is_lost in lost.items() if is_lost]


def same_samples(native: str, chosen: str) -> bool:
    """Say whether every sample fits where it is, in number and in depth."""
    return _shape(native) == _shape(chosen)


def is_rgb(pixel_format: str) -> bool:
    """Say whether the samples are red, green and blue."""
    return _shape(pixel_format).is_rgb


def has_alpha(pixel_format: str) -> bool:
    """Say whether the pictures carry transparency."""
    return _shape(pixel_format).alpha


def is_coarser_one_way(pixel_format: str) -> bool:
    """Say whether colour has fewer columns but not fewer rows, or the other way round."""
    shape = _shape(pixel_format)
    return shape.halvings_x != shape.halvings_y


def bits_of(pixel_format: str) -> int:
    """Give the depth of a pixel format's first component; UsageError for a name that is none."""
    try:
        return _shape(pixel_format).bits
    except (ValueError, IndexError):
        raise UsageError(f"{pixel_format!r} is no pixel format: yuv420p, yuv420p10le and yuv444p are some") from None


def _size_fits(name: str, encoder: Encoder, width: int, height: int) -> bool:
    shape = _shape(name)
    odd = width % (1 << shape.halvings_x) or height % (1 << shape.halvings_y)
    return not (encoder.even_sizes and odd)


@dataclass(frozen=True, slots=True)
class _Shape:
    bits: int
    halvings_x: int
    halvings_y: int
    channels: int  # 1 grey, 3 colour
    alpha: bool
    is_rgb: bool


def _shape(name: str) -> _Shape:
    video_format = VideoFormat(name, 64, 64)
    colour = [part for part in video_format.components if not part.is_alpha]
    alpha = len(colour) < len(video_format.components)
    if len(colour) == 1:  # grey fits the smallest chroma
        return _Shape(colour[0].bits, 1, 1, 1, alpha, False)
    across, down = (64 // colour[1].width).bit_length() - 1, (64 // colour[1].height).bit_length() - 1
    return _Shape(colour[0].bits, across, down, len(colour), alpha, video_format.is_rgb)


def _distance(native: str, candidate: str) -> tuple[int | bool, ...]:
    """Order candidates: first what would be lost, then what would be carried for nothing."""
    have, other = _shape(native), _shape(candidate)
    return (
        candidate != native,
        other.bits > 16,
        have.channels > other.channels,
        have.alpha and not other.alpha,
        max(0, have.bits - other.bits),
        max(0, other.halvings_x - have.halvings_x) + max(0, other.halvings_y - have.halvings_y),
        have.is_rgb != other.is_rgb,
        other.bits - have.bits,
        other.alpha != have.alpha,
        other.channels - have.channels,
        have.halvings_x - other.halvings_x + have.halvings_y - other.halvings_y,
    )
