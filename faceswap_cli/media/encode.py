"""Set up a video encoder by plan: size, time base, colour tags, HDR metadata.

Every stretch and the final file use the same set-up, so their stream headers are equal.
"""

import os

import av
from av.codec.context import Flags
from av.video.codeccontext import VideoCodecContext

from ..errors import OutputError
from .encoders import HDR_WORDS, is_rgb
from .plan import AVI, WritePlan

LIMITED_RANGE, FULL_RANGE = 1, 2
RGB_MATRIX = 0


def open_encoder(plan: WritePlan) -> VideoCodecContext:
    """Make an encoder ready for the plan's pictures; OutputError when it does not take them."""
    os.environ.setdefault("SVT_LOG", "0")  # this encoder alone writes to stderr by itself
    context = av.CodecContext.create(plan.encoder, "w")
    if plan.container is not AVI:
        context.flags |= Flags.global_header
    set_up(context, plan)
    try:
        context.open()
    except (av.FFmpegError, ValueError) as error:
        width, height = plan.size
        raise OutputError(
            f"{plan.codec} does not encode {width} x {height} pictures ({plan.pixel_format}): choose another codec"
        ) from error
    return context


def decoder_of(plan: WritePlan) -> VideoCodecContext:
    """Make a decoder for what `open_encoder` makes, of a codec that is stored losslessly on the way."""
    encoder = open_encoder(plan)
    decoder = av.CodecContext.create(plan.codec, "r")
    decoder.extradata = encoder.extradata
    decoder.width, decoder.height, decoder.pix_fmt = encoder.width, encoder.height, encoder.pix_fmt
    return decoder


def set_up(context: VideoCodecContext, plan: WritePlan) -> None:
    """Give an encoder that is not open yet all the plan says."""
    clip = plan.clip
    context.width, context.height = plan.size
    context.pix_fmt = plan.pixel_format
    context.time_base = plan.time_base
    context.framerate = clip.average_rate
    context.thread_count = plan.threads
    if clip.sample_aspect_ratio:
        context.sample_aspect_ratio = clip.sample_aspect_ratio
    _tag_colours(context, plan)
    context.options = plan.encoder_options | _hdr_options(plan)


def _tag_colours(context: VideoCodecContext, plan: WritePlan) -> None:
    colours = plan.clip.colours
    context.color_primaries, context.color_trc = colours.primaries, colours.transfer
    context.color_range = colours.range_tag or (FULL_RANGE if colours.full_range else 0)
    context.colorspace = colours.matrix
    was_rgb, becomes_rgb = is_rgb(plan.clip.pixel_format), is_rgb(plan.pixel_format)
    if becomes_rgb and not was_rgb:
        context.colorspace, context.color_range = RGB_MATRIX, FULL_RANGE
    if was_rgb and not becomes_rgb:
        context.colorspace, context.color_range = colours.effective_matrix, LIMITED_RANGE


def _hdr_options(plan: WritePlan) -> dict[str, str]:
    """Pass HDR10's static metadata to the encoder, in its own words."""
    if plan.clip.mastering is None or plan.encoder not in HDR_WORDS:
        return {}
    option, display, light, units = HDR_WORDS[plan.encoder]
    values = plan.clip.mastering.words(*units)
    parameters = [f"{own}={values[name]}" for own, name in ((display, "display"), (light, "light")) if name in values]
    earlier = plan.encoder_options.get(option)
    return {option: ":".join([*([earlier] if earlier else []), *parameters])}
