"""Carry a track beside the pictures, sound or subtitles, into a container: copied, or in the container's own codec.

A way adds the track to an output, and gives the carrier that turns each of its packets into those to be written. Times
are the output's by then.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, cast

import av
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Stream
from av.subtitles.stream import SubtitleStream

from .plan import MP4, Container
from .probe import Track
from .sound import BIT_RATE, USUAL_LAYOUTS, RewrittenSound, Sound, is_unnamed, nearest_sound

TEXT_CODECS = frozenset({"subrip", "srt", "ass", "ssa", "mov_text", "webvtt", "text"})
# Tags that describe the old packets of a stream.
STATISTICS_TAGS = ("BPS", "NUMBER_OF_", "_STATISTICS_", "DURATION", "ENCODER", "encoder", "rotate", "vendor_id")
CERTAIN_CHANNELS = 2  # so many and fewer are always mono or stereo, also where a file does not name them


class Carrier(Protocol):
    """Takes one input track's packets, moved to the output's time, and gives those to be written."""

    def carry(self, packet: Packet) -> Iterable[Packet]:
        """Give what one packet becomes."""

    def drain(self) -> Iterable[Packet]:
        """Give what is still held back at the end."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way a track can go into an output."""

    open: Callable[[OutputContainer, Any], Carrier]  # of the output and the input's stream
    note: str | None = None  # what is not the same, for people
    copies: bool = False


def ways(track: Track, stream: Any, container: Container) -> Iterator[Way]:
    """Yield the ways a track could go into a container, the best first; only a trial tells whether it takes one."""
    is_sound = stream.type == "audio"
    unnamed = is_sound and is_unnamed(stream.codec_context.layout)
    channels = stream.codec_context.layout.nb_channels if is_sound else 0
    if track.codec not in container.misplaces and not (container is MP4 and unnamed and channels > CERTAIN_CHANNELS):
        yield Way(Copied, copies=True)
        if unnamed and 1 <= channels <= CERTAIN_CHANNELS:
            yield Way(partial(Copied, layout=USUAL_LAYOUTS[channels]), copies=True)
    if not _can_be_decoded(stream):
        return
    if stream.type == "subtitle" and track.codec in TEXT_CODECS and container.text_codec:
        open_text = partial(RewrittenText, codec=container.text_codec)
        yield Way(open_text, f"{track} is written as {container.text_codec}; its styles may differ")
    sound = nearest_sound(container.sound_codec, stream) if is_sound else None
    if sound is not None:
        mixed = f", its {channels} channels mixed to {sound.layout}" * sound.is_mixed
        note = f"{track} is encoded anew as {sound.codec}{mixed}: not the same bits"
        yield Way(partial(_rewritten_sound, sound=sound), note)


def true_tags(tags: dict[str, str]) -> dict[str, str]:
    """Leave out what describes a stream's old packets."""
    return {name: value for name, value in tags.items() if not name.startswith(STATISTICS_TAGS)}


def copy_stream(out: OutputContainer, stream: Any) -> Stream:
    """Add a stream to an output that will hold the input's packets as they are."""
    copy = out.add_stream_from_template(stream, opaque=True)
    copy.time_base = stream.time_base
    return _described(copy, stream)


def _described(copy: Stream, stream: Any) -> Stream:
    copy.metadata.update(true_tags(stream.metadata))
    copy.disposition = stream.disposition
    return copy


def _can_be_decoded(stream: Any) -> bool:
    context = stream.codec_context
    if stream.type == "audio" and not (context.sample_rate and context.layout.nb_channels):
        return False  # a broken file tells too little of its sound
    try:
        context.open(strict=False)
    except (av.FFmpegError, ValueError):
        return False
    return True


def _rewritten_sound(out: OutputContainer, stream: Any, sound: Sound) -> Carrier:
    copy = out.add_stream(sound.codec, rate=sound.rate, layout=sound.layout, bit_rate=BIT_RATE)
    return RewrittenSound(cast(AudioStream, _described(copy, stream)), stream, sound)


class Copied:
    """The packets as they are; `layout` names the channels where the input does not and the output must."""

    def __init__(self, out: OutputContainer, stream: Any, layout: str | None = None) -> None:
        self._stream = copy_stream(out, stream)
        if layout is not None:
            cast(AudioStream, self._stream).codec_context.layout = layout

    def carry(self, packet: Packet) -> Iterator[Packet]:
        """Give the packet itself."""
        packet.stream = self._stream
        yield packet

    def drain(self) -> Iterator[Packet]:
        """Give nothing: nothing is held back."""
        yield from ()


class RewrittenText:
    """Text subtitles in the container's own codec, each at its own time."""

    def __init__(self, out: OutputContainer, stream: Any, codec: str) -> None:
        self._decoder = stream.codec_context
        self._decoder.open(strict=False)  # which gives it the header of the subtitles
        self._stream = cast(SubtitleStream, _described(out.add_stream(codec), stream))
        self._stream.codec_context.subtitle_header = self._decoder.subtitle_header
        self._stream.codec_context.time_base = stream.time_base
        self._stream.time_base = stream.time_base

    def carry(self, packet: Packet) -> Iterator[Packet]:
        """Give the packet of the same words."""
        subtitle = self._decoder.decode2(packet)
        if subtitle is None:
            return
        rewritten = self._stream.codec_context.encode_subtitle(subtitle)
        rewritten.pts, rewritten.dts, rewritten.duration = packet.pts, packet.dts, packet.duration
        rewritten.time_base, rewritten.stream, rewritten.is_keyframe = packet.time_base, self._stream, True
        yield rewritten

    def drain(self) -> Iterator[Packet]:
        """Give nothing: nothing is held back."""
        yield from ()
