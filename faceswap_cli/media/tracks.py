"""Carry the tracks beside the pictures into the output: packet by packet where the container takes them as they are.

Text subtitles and sound that it does not take are written anew in its own codec; what is left then is named in a note.
"""

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Protocol, cast

import av
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import Discard, Disposition, Stream
from av.subtitles.stream import SubtitleStream

from .plan import GIF, STILLS, WritePlan
from .probe import Track, open_container, pts_of
from .sound import BIT_RATE, RewrittenSound, is_unnamed, nearest_sound

TEXT_CODECS = frozenset({"subrip", "srt", "ass", "ssa", "mov_text", "webvtt", "text"})
# Tags that describe the old packets of a stream.
STATISTICS_TAGS = ("BPS", "NUMBER_OF_", "_STATISTICS_", "DURATION", "ENCODER", "encoder", "rotate", "vendor_id")
MEASURED_SECONDS = 30  # of a clip, for the rate of tracks that state none
MIME_TYPES = {"png": "image/png", "mjpeg": "image/jpeg"}


class Carrier(Protocol):
    """Takes one input track's packets, moved to the output's time, and gives those to be written."""

    def carry(self, packet: Packet) -> Iterable[Packet]:
        """Give what one packet becomes."""

    def drain(self) -> Iterable[Packet]:
        """Give what is still held back at the end."""


@dataclass(slots=True)
class Cargo:
    """All that is carried beside the pictures."""

    carriers: dict[int, Carrier] = field(default_factory=dict)  # by the input's stream number
    opening: list[Packet] = field(default_factory=list)  # packets that go first, such as a cover picture
    notes: list[str] = field(default_factory=list)
    left_out: list[Track] = field(default_factory=list)


def add_tracks(out: OutputContainer, source: InputContainer, plan: WritePlan) -> Cargo:
    """Add every track to the output that it can take in some way."""
    cargo = Cargo()
    for track in plan.clip.tracks:
        stream = source.streams[track.index]
        if stream.discard == Discard.all or "timecode" in stream.metadata:  # chapter names, time code: made anew
            continue
        if not _add(out, stream, track, plan, cargo):
            cargo.left_out.append(track)
            cargo.notes.append(f"{track} is left out: {plan.container.muxer} files cannot take it here")
    return cargo


def foresee_tracks(plan: WritePlan) -> tuple[Cargo, float]:
    """Find out in memory which tracks the output will take, and how many bytes a second they have together."""
    if plan.container in (GIF, STILLS):
        return Cargo(notes=told_silent(plan), left_out=list(plan.clip.tracks)), 0
    with (
        open_container(plan.clip.path) as source,
        av.open(io.BytesIO(), "w", format=plan.container.muxer) as trial,
    ):
        cargo = add_tracks(trial, source, plan)
        return cargo, _stated_bits(source, cargo) / 8 + _measured_rate(source, cargo)


def _stated_bits(source: InputContainer, cargo: Cargo) -> int:
    """Sum the bits a second of the sound that is written anew, and of what states its own."""
    return sum(
        BIT_RATE if isinstance(carrier, RewrittenSound) else source.streams[index].codec_context.bit_rate or 0
        for index, carrier in cargo.carriers.items()
    )


def _measured_rate(source: InputContainer, cargo: Cargo) -> float:
    """Count the bytes a second of copied tracks that state none, in the packets of the clip's beginning."""
    streams = [
        source.streams[index]
        for index, carrier in cargo.carriers.items()
        if isinstance(carrier, _Copied) and not source.streams[index].codec_context.bit_rate
    ]
    counted, first, end = 0, None, Fraction(0)
    for packet in packets_of(source, streams):
        begin = stamps(packet)[0] * packet.time_base
        first = begin if first is None else first
        if begin > first + MEASURED_SECONDS:
            break
        counted += packet.size
        end = max(end, begin - first + (packet.duration or 0) * packet.time_base)
    return counted / float(end) if end else 0.0


def packets_of(source: InputContainer, streams: list[Any]) -> Iterator[Packet]:
    """Read the packets of some streams, pts and dts set, up to the end or to where the file breaks off."""
    waiting: dict[int, list[Packet]] = {}  # pictures, by track, that come before the first whose dts the file tells
    for packet in _stamped(source, streams):
        if packet.dts is None and packet.stream.type == "video":
            waiting.setdefault(packet.stream_index, []).append(packet)
            continue
        packet.pts = packet.dts if packet.pts is None else packet.pts
        packet.dts = packet.pts if packet.dts is None else packet.dts
        yield from _dated(waiting.pop(packet.stream_index, []), stamps(packet)[1])
        yield packet
    for packets in waiting.values():
        yield from _dated(packets, min(pts_of(packet) for packet in packets))


def _stamped(source: InputContainer, streams: list[Any]) -> Iterator[Packet]:
    """Read the packets that say when they are decoded or shown."""
    packets = source.demux(*streams) if streams else iter(())
    while True:
        try:
            packet = next(packets)
        except (StopIteration, av.FFmpegError):
            return
        if packet.size and not (packet.dts is None and packet.pts is None):
            yield packet


def _dated(packets: list[Packet], following: int) -> list[Packet]:
    """Give packets that have none a dts each, one tick apart, before that of the packet behind them."""
    for place, packet in enumerate(reversed(packets), 1):
        packet.dts = following - place
    return packets


def stamps(packet: Packet) -> tuple[int, int]:
    """Return pts and dts of a packet that has both, as `packets_of` and every encoder give them."""
    assert packet.pts is not None and packet.dts is not None
    return packet.pts, packet.dts


def told_silent(plan: WritePlan) -> list[str]:
    """Say of every track that it is left out, where the output is pictures alone."""
    why = "a GIF holds pictures only" if plan.container is GIF else "photos hold no other tracks"
    return [f"{track} is left out: {why}" for track in plan.clip.tracks]


def true_tags(tags: dict[str, str]) -> dict[str, str]:
    """Leave out what describes a stream's old packets."""
    return {name: value for name, value in tags.items() if not name.startswith(STATISTICS_TAGS)}


def _add(out: OutputContainer, stream: Any, track: Track, plan: WritePlan, cargo: Cargo) -> bool:
    if stream.type == "attachment":
        return _add_attachment(out, stream, plan)
    if stream.codec_context is None:
        return False
    if stream.disposition & Disposition.attached_pic:
        return _add_cover(out, stream, plan, cargo)
    if track.codec not in plan.container.misplaces and _holds(plan.container.muxer, stream):
        cargo.carriers[track.index] = _Copied(_copy_stream(out, stream))
        return True
    if not _can_be_decoded(stream):
        return False
    if stream.type == "subtitle" and track.codec in TEXT_CODECS and plan.container.text_codec:
        cargo.carriers[track.index] = _RewrittenText(out, stream, plan.container.text_codec)
        cargo.notes.append(f"{track} is written as {plan.container.text_codec}; its styles may differ")
        return True
    sound = nearest_sound(plan.container.sound_codec, stream) if stream.type == "audio" else None
    if sound is None:
        return False
    copy = out.add_stream(sound.codec, rate=sound.rate, layout=sound.layout, bit_rate=BIT_RATE)
    cargo.carriers[track.index] = RewrittenSound(cast(AudioStream, _described(copy, stream)), stream, sound)
    mixed = f", its {stream.codec_context.layout.nb_channels} channels mixed to {sound.layout}" * sound.is_mixed
    cargo.notes.append(f"{track} is encoded anew as {sound.codec}{mixed}: not the same bits")
    return True


def _holds(muxer: str, stream: Any) -> bool:
    """Try the stream alone in a file in memory: the surest answer to whether the container takes it."""
    if muxer == "mp4" and stream.type == "audio" and is_unnamed(stream.codec_context.layout, more_than=2):
        return False  # it would refuse the sound at the file's end
    try:
        with av.open(io.BytesIO(), "w", format=muxer) as trial:
            _copy_stream(trial, stream)
            trial.start_encoding()
    except (av.FFmpegError, ValueError):
        return False
    return True


def _can_be_decoded(stream: Any) -> bool:
    context = stream.codec_context
    if stream.type == "audio" and not (context.sample_rate and context.layout.nb_channels):
        return False  # a broken file tells too little of its sound
    try:
        context.open(strict=False)
    except (av.FFmpegError, ValueError):
        return False
    return True


def _copy_stream(out: OutputContainer, stream: Any) -> Stream:
    copy = out.add_stream_from_template(stream, opaque=True)
    copy.time_base = stream.time_base
    return _described(copy, stream)


def _described(copy: Stream, stream: Any) -> Stream:
    copy.metadata.update(true_tags(stream.metadata))
    copy.disposition = stream.disposition
    return copy


def _add_attachment(out: OutputContainer, stream: Any, plan: WritePlan) -> bool:
    if not plan.container.holds_attachments:
        return False
    name = stream.metadata.get("filename", f"attachment{stream.index}")
    out.add_attachment(name, stream.mimetype or "application/octet-stream", stream.data)
    return True


def _add_cover(out: OutputContainer, stream: Any, plan: WritePlan, cargo: Cargo) -> bool:
    """Carry a cover picture: a file of its own in Matroska, a picture outside time in MP4."""
    codec = stream.codec_context.name
    content = _first_packet(plan, stream.index)
    if content is None or codec not in MIME_TYPES:
        return False
    if plan.container.holds_attachments:
        name = stream.metadata.get("filename", f"cover.{MIME_TYPES[codec].removeprefix('image/')}")
        out.add_attachment(name, MIME_TYPES[codec], content)
        return True
    if not plan.container.holds_covers:
        return False
    packet = Packet(content)
    packet.stream = _copy_stream(out, stream)
    packet.pts = packet.dts = 0
    packet.time_base, packet.is_keyframe = stream.time_base, True
    cargo.opening.append(packet)
    return True


def _first_packet(plan: WritePlan, index: int) -> bytes | None:
    with open_container(plan.clip.path) as source:
        packet = next(source.demux(source.streams[index]), None)
        return bytes(packet) if packet is not None and packet.size else None


class _Copied:
    """The packets as they are."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def carry(self, packet: Packet) -> Iterator[Packet]:
        packet.stream = self._stream
        yield packet

    def drain(self) -> Iterator[Packet]:
        yield from ()


class _RewrittenText:
    """Text subtitles in the container's own codec, each at its own time."""

    def __init__(self, out: OutputContainer, stream: Any, codec: str) -> None:
        self._decoder = stream.codec_context
        self._stream = cast(SubtitleStream, _described(out.add_stream(codec), stream))
        self._stream.codec_context.subtitle_header = self._decoder.subtitle_header
        self._stream.codec_context.time_base = stream.time_base
        self._stream.time_base = stream.time_base

    def carry(self, packet: Packet) -> Iterator[Packet]:
        subtitle = self._decoder.decode2(packet)
        if subtitle is None:
            return
        rewritten = self._stream.codec_context.encode_subtitle(subtitle)
        rewritten.pts, rewritten.dts, rewritten.duration = packet.pts, packet.dts, packet.duration
        rewritten.time_base, rewritten.stream, rewritten.is_keyframe = packet.time_base, self._stream, True
        yield rewritten

    def drain(self) -> Iterator[Packet]:
        yield from ()
