"""Choose who encodes a clip, in which pixel format and with which options; part of the plan, before the first frame."""

from dataclasses import dataclass

from ..errors import UsageError
from ..options import Options
from .encoders import ENCODERS, Encoder, encoder_options, nearest_format, pixel_formats, same_samples, what_is_lost
from .hardware import hardware_encoders, refusal
from .reader import Clip


@dataclass(frozen=True, slots=True)
class Encoding:
    """What makes packets of pictures."""

    library: str  # the encoder's name in the library
    pixel_format: str
    options: dict[str, str]  # in the encoder's own words


def choose_encoding(clip: Clip, codec: str, size: tuple[int, int], options: Options) -> tuple[Encoding, list[str]]:
    """Return the encoding for pictures of this size, and notes on what was asked for and cannot be had.

    A hardware encoder is taken only if it encodes one picture on trial. Raises UsageError for a pixel format or
    preset the encoder does not take, and for `lossless` where it cannot be.
    """
    software = _software(clip, codec, size, options)
    if options.encoder == "software" or options.lossless:
        return software, []
    refusals = []
    for encoder in hardware_encoders(codec, options.encoder):
        pixel_format = options.pix_fmt or nearest_format(encoder, clip.pixel_format, *size)
        settings = encoder.settings(options.quality, None)
        why = refusal(encoder, pixel_format, settings, size)
        if pixel_format is not None and why is None:
            notes = [f"{encoder.library} keeps its own speed preset"] if options.preset else []
            return Encoding(encoder.library, pixel_format, settings), notes
        refusals.append(f"{encoder.library} could not be used ({why})")
    wanted = "hardware" if options.encoder == "auto" else options.encoder
    tried = ", ".join(refusals) or f"there is no {wanted} encoder of {codec} here"
    return software, [f"{tried}: {software.library} does the work"]


def notes_on_pixels(clip: Clip, codec: str, pixel_format: str, asked: bool) -> list[str]:
    """Return notes on what pictures lose in this pixel format; `asked`: the user chose it."""
    lost = what_is_lost(clip.pixel_format, pixel_format)
    if not lost:
        return []
    why = "as asked" if asked else f"{codec} has nothing nearer"
    return [f"pixels are written as {pixel_format}, not {clip.pixel_format} ({why}): {', '.join(lost)}"]


def _software(clip: Clip, codec: str, size: tuple[int, int], options: Options) -> Encoding:
    encoder = ENCODERS[codec]
    native = clip.pixel_format
    pixel_format = options.pix_fmt or nearest_format(encoder, native, *size) or native
    known = [name for name in pixel_formats(encoder, *size) if name == native or not name.startswith("yuvj")]
    if pixel_format not in known:
        names = ", ".join(known)
        raise UsageError(f"pixel format {pixel_format!r} is not for {codec} at this size: choose one of {names}")
    if options.lossless:
        _refuse_loss(encoder, clip, codec, pixel_format)
    quality = 100 if options.lossless else options.quality
    return Encoding(encoder.library, pixel_format, encoder_options(encoder, quality, options.preset, pixel_format))


def _refuse_loss(encoder: Encoder, clip: Clip, codec: str, pixel_format: str) -> None:
    if not encoder.lossless:
        raise UsageError(f"{codec} cannot be lossless: choose another --codec, such as ffv1 in .mkv")
    if not same_samples(clip.pixel_format, pixel_format):
        raise UsageError(
            f"{codec} in {pixel_format} does not hold {clip.pixel_format} losslessly: choose another --pix-fmt, or "
            "--codec ffv1 in .mkv"
        )
