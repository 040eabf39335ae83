"""Encoders in graphics hardware: which there are, how quality maps to each, and whether one really works.

No machine of ours has such hardware: the option names are compared with ffmpeg's own help, the fallback to software is
tested for real, the picture quality of the maps is not.
"""

from collections.abc import Callable
from fractions import Fraction
from functools import partial
from typing import cast

import av
from av.video.codeccontext import VideoCodecContext

from .encoders import Encoder, pixel_formats, quality_to_scale
from .probe import reason

CODECS_IN_HARDWARE = ("h264", "hevc", "av1", "vp9")
# AV1 and VP9 count their quantiser to 255, H.264 and HEVC to 51.
WIDE_QUANTISER, QUANTISER = ((0, 220), (50, 140), (75, 90), (100, 10)), ((0, 45), (50, 27), (75, 19), (100, 1))
INTEL_QUALITY, APPLE_QUALITY = ((0, 45), (50, 27), (75, 19), (100, 1)), ((0, 20), (50, 55), (75, 70), (100, 100))
# RGB would be turned to YUV inside, by a matrix we cannot tag; the others are packed in ways that little else reads.
REFUSED = ("rgb", "bgr", "argb", "gbr", "x2", "xv", "vuy", "y2", "yuv444p10msb")
LAMBDA = 118  # one step of the library's -q:v in the units of its global quality
GREY = 128


def _nvenc(codec: str, quality: int) -> dict[str, str]:
    return {"rc": "constqp", "qp": _quantiser(codec, quality)}


def _qsv(codec: str, quality: int) -> dict[str, str]:
    return {"global_quality": str(quality_to_scale(quality, INTEL_QUALITY))}


def _videotoolbox(codec: str, quality: int) -> dict[str, str]:
    return {"flags": "+qscale", "global_quality": str(LAMBDA * quality_to_scale(quality, APPLE_QUALITY))}


def _vaapi(codec: str, quality: int) -> dict[str, str]:
    name = "qp" if codec in ("h264", "hevc") else "global_quality"
    return {"rc_mode": "CQP", name: _quantiser(codec, quality)}


def _amf(codec: str, quality: int) -> dict[str, str]:
    steps = _quantiser(codec, quality)
    return {"rc": "cqp", "qp_i": steps, "qp_p": steps}


VENDORS: dict[str, Callable[[str, int], dict[str, str]]] = {  # in the order in which they are tried
    "nvenc": _nvenc,
    "qsv": _qsv,
    "videotoolbox": _videotoolbox,
    "vaapi": _vaapi,
    "amf": _amf,
}


def hardware_encoders(codec: str, choice: str) -> list[Encoder]:
    """Give the codec's encoders of one vendor, or of all for "auto", that the library was built with."""
    vendors = VENDORS if choice == "auto" else (choice,)
    return [hardware_encoder(codec, vendor) for vendor in vendors if _is_built(codec, vendor)]


def hardware_encoder(codec: str, vendor: str) -> Encoder:
    """Describe one vendor's encoder of one codec; it keeps its own speed preset."""
    return Encoder(f"{codec}_{vendor}", (), None, partial(_settings, codec, vendor), even_sizes=True, refused=REFUSED)


def refusal(encoder: Encoder, pixel_format: str | None, settings: dict[str, str], size: tuple[int, int]) -> str | None:
    """Encode one grey picture; None when a packet comes out, else why not, in the library's words."""
    if pixel_format not in pixel_formats(encoder, *size):
        return f"it does not take {pixel_format or 'pictures from memory'}"
    try:
        context = cast(VideoCodecContext, av.CodecContext.create(encoder.library, "w"))
        context.width, context.height = size
        context.pix_fmt, context.options = pixel_format, settings
        context.time_base, context.framerate = Fraction(1, 25), Fraction(25)
        packets = [*context.encode(_grey(pixel_format, size)), *context.encode(None)]
    except (av.FFmpegError, ValueError, OSError) as error:
        return reason(error)
    return None if packets else "no picture came out"


def _settings(codec: str, vendor: str, quality: int, preset: str | None) -> dict[str, str]:
    return VENDORS[vendor](codec, quality)


def _grey(pixel_format: str, size: tuple[int, int]) -> av.VideoFrame:
    picture = av.VideoFrame(*size, pixel_format)
    for plane in picture.planes:
        plane.update(bytes([GREY]) * plane.buffer_size)
    picture.pts, picture.time_base = 0, Fraction(1, 25)
    return picture


def _quantiser(codec: str, quality: int) -> str:
    return str(quality_to_scale(quality, QUANTISER if codec in ("h264", "hevc") else WIDE_QUANTISER))


def _is_built(codec: str, vendor: str) -> bool:
    if codec not in CODECS_IN_HARDWARE:
        return False
    try:
        av.Codec(f"{codec}_{vendor}", "w")
    except ValueError:
        return False
    return True
