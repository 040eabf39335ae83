"""Encode pictures by plan: size, direction, pixel format, time base, colour tags, HDR metadata.

Every stretch and the final file use the same set-up, so their stream headers are equal.
"""

import os
from typing import cast

import av
from av.codec.context import Flags
from av.video.codeccontext import VideoCodecContext
from av.video.reformatter import VideoReformatter

from ..errors import OutputError
from .encoders import HDR_WORDS, is_rgb
from .plan import AVI, WritePlan
from .reader import EXACT
from .turn import Turner

LIMITED_RANGE, FULL_RANGE = 1, 2
RGB_MATRIX = 0


class PictureEncoder:
    """Pictures in, packets out: turned, converted and encoded by plan."""

    def __init__(self, plan: WritePlan) -> None:
        self._plan = plan
        self._context = open_encoder(plan)
        self._turner = Turner(plan.turned_by)
        self._converter = VideoReformatter()

    def encode(self, picture: av.VideoFrame, pts: int) -> list[av.Packet]:
        """Encode a picture shown at `pts` of the plan's time base; return the packets that are ready by now."""
        picture = self._converted(self._turner.turn(picture))
        picture.pts, picture.time_base = pts, self._plan.time_base
        picture.pict_type = 0  # the decoder's key frames are not ours
        return self._context.encode(picture)

    def drain(self) -> list[av.Packet]:
        """Return the packets that the encoder still holds back."""
        return self._context.encode(None)

    def _converted(self, picture: av.VideoFrame) -> av.VideoFrame:
        """Bring a picture to the encoder's pixel format; range and matrix stay unless RGB becomes YUV."""
        wanted = self._plan.pixel_format
        if picture.format.name == wanted:
            return picture
        colours = self._plan.clip.colours
        own_range = FULL_RANGE if colours.full_range else LIMITED_RANGE
        new_range = LIMITED_RANGE if picture.format.is_rgb and not is_rgb(wanted) else own_range
        matrix = colours.swscale_matrix
        return self._converter.reformat(
            picture,
            format=wanted,
            interpolation=EXACT,
            src_colorspace=matrix,
            dst_colorspace=matrix,
            src_color_range=own_range,
            dst_color_range=new_range,
        )


def open_encoder(plan: WritePlan) -> VideoCodecContext:
    """Make an encoder ready for the plan's pictures; OutputError when it does not take them."""
    os.environ.setdefault("SVT_LOG", "0")  # this encoder alone writes to stderr by itself
    context = cast(VideoCodecContext, av.CodecContext.create(plan.encoder, "w"))
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
    decoder = cast(VideoCodecContext, av.CodecContext.create(plan.codec, "r"))
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
