"""Carry the tracks beside the pictures into the output: packet by packet where the container takes them as they are.

Text subtitles and sound that it does not take are written anew in its own codec; what is left then is named in a note.
"""

import io
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import av
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import Discard, Disposition

from .carriers import Carrier, Copied, Way, copy_stream, ways
from .packets import packets_of, stamps
from .plan import GIF, STILLS, WritePlan
from .probe import Track, open_container
from .sound import BIT_RATE, RewrittenSound
from .trial import goes_whole, open_trials

MEASURED_SECONDS = 30  # of a clip, for the rate of tracks that state none
MIME_TYPES = {"png": "image/png", "mjpeg": "image/jpeg"}


@dataclass(slots=True)
class Cargo:
    """All that is carried beside the pictures."""

    carriers: dict[int, Carrier] = field(default_factory=dict)  # by the input's stream number
    opening: list[Packet] = field(default_factory=list)  # packets that go first, such as a cover picture
    notes: list[str] = field(default_factory=list)
    left_out: list[Track] = field(default_factory=list)


def add_tracks(
    out: OutputContainer, source: InputContainer, plan: WritePlan, uncopied: frozenset[int] = frozenset()
) -> Cargo:
    """Add every track to the output that it can take in some way; those of the numbers `uncopied` not as they are."""
    cargo, chosen = Cargo(), _choose_ways(plan, uncopied)
    for track in plan.clip.tracks:
        stream = source.streams[track.index]
        if stream.discard == Discard.all or "timecode" in stream.metadata:  # chapter names, time code: made anew
            continue
        if not _add(out, stream, plan, cargo, chosen.get(track.index)):
            cargo.left_out.append(track)
            cargo.notes.append(f"{track} is left out: {plan.container.muxer} files cannot take it here")
    return cargo


def tracks_that_fail(plan: WritePlan) -> frozenset[int]:
    """Say which copied tracks fail further on, where their beginning does not; reads all their packets."""
    chosen = _choose_ways(plan, frozenset())
    return frozenset(index for index, way in chosen.items() if way.copies and not goes_whole(plan, index, way))


def _choose_ways(plan: WritePlan, uncopied: frozenset[int]) -> dict[int, Way]:
    """Find for each track the best way that its first packets can go; none for a track that has no such way."""
    chosen: dict[int, Way] = {}
    with open_trials(plan) as trials:
        for track in trials.tracks:
            for way in ways(track, trials.stream(track), plan.container):
                if not (way.copies and track.index in uncopied) and trials.goes(track, way):
                    chosen[track.index] = way
                    break
    return chosen


def foresee_tracks(plan: WritePlan) -> tuple[Cargo, float]:
    """Find out in memory which tracks the output will take, and how many bytes a second they have together."""
    if plan.container in (GIF, STILLS):
        return Cargo(notes=told_silent(plan), left_out=list(plan.clip.tracks)), 0
    with (
        open_container(plan.clip.path) as source,
        av.open(io.BytesIO(), "w", format=plan.container.muxer) as trial,
    ):
        cargo = add_tracks(trial, source, plan)
        return cargo, _stated_bits(source, cargo) / 8 + _measured_rate(source, cargo, plan)


def _stated_bits(source: InputContainer, cargo: Cargo) -> int:
    """Sum the bits a second of the sound that is written anew, and of what states its own."""
    return sum(
        BIT_RATE if isinstance(carrier, RewrittenSound) else source.streams[index].codec_context.bit_rate or 0
        for index, carrier in cargo.carriers.items()
    )


def _measured_rate(source: InputContainer, cargo: Cargo, plan: WritePlan) -> float:
    """Count the bytes a second of copied tracks that state none, in the packets of the clip's beginning."""
    streams = [
        source.streams[index]
        for index, carrier in cargo.carriers.items()
        if isinstance(carrier, Copied) and not source.streams[index].codec_context.bit_rate
    ]
    counted, first, end = 0, None, Fraction(0)
    for packet in packets_of(source, streams, plan.clip.joints):
        begin = stamps(packet)[0] * packet.time_base
        first = begin if first is None else first
        if begin > first + MEASURED_SECONDS:
            break
        counted += packet.size
        end = max(end, begin - first + (packet.duration or 0) * packet.time_base)
    return counted / float(end) if end else 0.0


def told_silent(plan: WritePlan) -> list[str]:
    """Say of every track that it is left out, where the output is pictures alone."""
    why = "a GIF holds pictures only" if plan.container is GIF else "photos hold no other tracks"
    return [f"{track} is left out: {why}" for track in plan.clip.tracks]


def _add(out: OutputContainer, stream: Any, plan: WritePlan, cargo: Cargo, way: Way | None) -> bool:
    if stream.type == "attachment":
        return _add_attachment(out, stream, plan)
    if stream.disposition & Disposition.attached_pic:
        return _add_cover(out, stream, plan, cargo)
    if way is None:
        return False
    cargo.carriers[stream.index] = way.open(out, stream)
    cargo.notes += [way.note] if way.note else []
    if stream.type == "video":
        cargo.notes.append(f"video track {stream.index} is carried as it is: whoever is in it keeps the old face")
    return True


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
    packet.stream = copy_stream(out, stream)
    packet.pts = packet.dts = 0
    packet.time_base, packet.is_keyframe = stream.time_base, True
    cargo.opening.append(packet)
    return True


def _first_packet(plan: WritePlan, index: int) -> bytes | None:
    with open_container(plan.clip.path) as source:
        packet = next(source.demux(source.streams[index]), None)
        return bytes(packet) if packet is not None and packet.size else None
