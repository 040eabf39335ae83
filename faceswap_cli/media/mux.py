"""Put a finished clip together: our pictures from the packet files, everything else copied from the input bit for bit.

Pictures keep their pts; dts is the sorted pts held back by the reorder depth, which is exact and rises over the joints
of stretches.
"""

import heapq
import io
from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import Discard, Stream
from av.video.stream import VideoStream

from ..errors import OutputError
from .disclosure import append_xmp_box, container_tags
from .encode import set_up
from .encoders import ENCODERS
from .plan import MOV, MP4, WritePlan
from .reader import open_container
from .segments import SegmentStore, packet_times, read_packets

# Tags a muxer writes itself, or that describe the old pictures: never copied.
OWN_TAGS = frozenset({"major_brand", "minor_version", "compatible_brands", "encoder", "duration"})
STATISTICS_TAGS = ("BPS", "NUMBER_OF_", "_STATISTICS_", "DURATION", "ENCODER", "encoder", "rotate", "vendor_id")
# Tags that MP4's iTunes-like list holds; with any other the file uses free key names instead.
LISTED_TAGS = frozenset(
    """title artist album_artist author album date genre composer comment copyright description synopsis show network
    episode_id lyrics track disc grouping make model keywords creation_time location location-eng""".split()  # noqa: SIM905
)


def mux(plan: WritePlan, store: SegmentStore, target: Path) -> list[str]:
    """Write the whole clip to `target`; returns notes on what the container could not take over."""
    if not store.finished:
        raise OutputError(f"{plan.output} was not written: there is no frame to write")
    with open_container(plan.clip.path) as source:
        notes = _mux_from(source, plan, store, target)
    if plan.container in (MP4, MOV):
        append_xmp_box(target)
    return notes + _lost_tags(plan, target)


def _mux_from(source: InputContainer, plan: WritePlan, store: SegmentStore, target: Path) -> list[str]:
    tags = container_tags(_tags(plan.clip.metadata, OWN_TAGS), free_names=plan.container not in (MP4, MOV))
    with av.open(
        str(target), "w", format=plan.container.muxer, container_options=_container_options(plan, tags)
    ) as out:
        video = _add_video(out, plan)
        copies, notes = _add_copies(out, source, plan)
        out.metadata.update(tags)
        window = _Window(plan, store)
        if plan.clip.chapters:
            out.set_chapters(list(window.chapters(plan.clip.chapters)))
        pictures = _pictures(store, video, plan)
        others = _others(source, copies, window)
        for _, packet in heapq.merge(pictures(window), others, key=lambda timed: timed[0]):
            out.mux_one(packet)
    if window.unheard:
        notes.append(f"{window.unheard} sound packets before time 0, never heard, are left out")
    return notes


def _container_options(plan: WritePlan, tags: dict[str, str]) -> dict[str, str]:
    if plan.container not in (MP4, MOV):
        return {}
    flags = "+faststart+use_metadata_tags" if set(tags) - LISTED_TAGS else "+faststart"
    return {"movflags": flags, "video_track_timescale": str(plan.time_base.denominator)}


def _tags(tags: dict[str, str], without: frozenset[str]) -> dict[str, str]:
    return {name: value for name, value in tags.items() if name.lower() not in without}


def _true_tags(tags: dict[str, str]) -> dict[str, str]:
    """Leave out what describes a stream's old packets."""
    return {name: value for name, value in tags.items() if not name.startswith(STATISTICS_TAGS)}


def _add_video(out: OutputContainer, plan: WritePlan) -> VideoStream:
    """Add the stream of our pictures; its encoder is opened for the stream header alone and never fed."""
    stream = out.add_stream(ENCODERS[plan.codec].library, rate=plan.clip.average_rate)
    set_up(stream.codec_context, plan)
    stream.time_base = plan.time_base
    if plan.codec == "hevc" and plan.container in (MP4, MOV):
        stream.codec_context.codec_tag = "hvc1"
    if plan.clip.display_matrix is not None and plan.container.keeps_rotation:
        stream.set_display_matrix(plan.clip.display_matrix)
    stream.metadata.update(_true_tags(plan.clip.video_metadata))
    return stream


class _Window:
    """The part of the input's time that is kept, and how far it moves towards zero."""

    def __init__(self, plan: WritePlan, store: SegmentStore) -> None:
        first = store.finished[0].first_pts
        self.begin = None if plan.start is None else first * plan.time_base
        self.end = plan.end_time
        self.shift = self.begin or Fraction(0)
        self.starts_at_zero = plan.container.starts_at_zero
        self.unheard = 0  # packets before time 0 that only prime a decoder, left out

    def place(self, packet: Packet, is_text: bool) -> bool:
        """Move a packet to the output's time; False when it does not lie inside the window."""
        start = packet.pts * packet.time_base
        end = start + (packet.duration or 0) * packet.time_base
        if self.begin is not None and start < self.begin:
            return False
        if self.starts_at_zero and end <= self.shift:
            self.unheard += 1
            return False
        if self.end is not None and (start >= self.end if is_text else end > self.end):
            return False
        ticks = round(self.shift / packet.time_base)
        packet.pts -= ticks
        packet.dts -= ticks
        return True

    def chapters(self, chapters: list[Any]) -> Iterator[Any]:
        """Yield the chapters that overlap the window, cut to it and moved."""
        for chapter in chapters:
            unit = Fraction(chapter["time_base"])
            begin, end = chapter["start"] * unit, chapter["end"] * unit
            begin = max(begin, self.begin) if self.begin is not None else begin
            end = min(end, self.end) if self.end is not None else end
            if begin < end:
                moved = {"start": round((begin - self.shift) / unit), "end": round((end - self.shift) / unit)}
                yield chapter | moved


def _pictures(store: SegmentStore, stream: VideoStream, plan: WritePlan) -> Any:
    """Give a reader of our packets with dts and time set, in coding order, as (seconds, packet)."""

    def read(window: _Window) -> Iterator[tuple[Fraction, Packet]]:
        shift = round(window.shift / plan.time_base)
        depth = max(segment.reorder for segment in store.finished)
        first = store.finished[0].first_pts
        usual = max(1, round(1 / (plan.clip.average_rate * plan.time_base)))
        waiting = deque(first - place * usual for place in range(depth, 0, -1))
        for segment in store.finished:
            waiting.extend(sorted(packet_times(store.path(segment))))
            for packet in read_packets(store.path(segment)):
                packet.stream, packet.time_base = stream, plan.time_base
                packet.pts, packet.dts = packet.pts - shift, waiting.popleft() - shift
                yield packet.dts * plan.time_base, packet

    return read


def _add_copies(out: OutputContainer, source: InputContainer, plan: WritePlan) -> tuple[dict[int, Stream], list[str]]:
    """Add a stream for every track that can be copied; the others are named in notes."""
    copies, notes = {}, []
    for track in plan.clip.tracks:
        stream = source.streams[track.index]
        if stream.discard == Discard.all:  # the text track MP4 keeps chapter names in; made anew
            continue
        if not _can_hold(plan.container.muxer, stream):
            notes.append(f"{track} is left out: {plan.container.muxer} does not hold it")
            continue
        copies[track.index] = _add_copy(out, stream)
    return copies, notes


def _add_copy(out: OutputContainer, stream: Any) -> Stream:
    if stream.type == "attachment":
        name = stream.metadata.get("filename", stream.name or f"attachment{stream.index}")
        return out.add_attachment(name, stream.mimetype or "application/octet-stream", stream.data)
    copy = out.add_stream_from_template(stream, opaque=True)
    copy.time_base = stream.time_base
    copy.metadata.update(_true_tags(stream.metadata))
    copy.disposition = stream.disposition
    return copy


def _can_hold(muxer: str, stream: Any) -> bool:
    """Try the stream alone in a file in memory: the surest answer to whether the container takes it."""
    try:
        with av.open(io.BytesIO(), "w", format=muxer) as trial:
            _add_copy(trial, stream)
            trial.start_encoding()
    except (av.FFmpegError, ValueError):
        return False
    return True


def _others(source: InputContainer, copies: dict[int, Stream], window: _Window) -> Iterator[tuple[Fraction, Packet]]:
    """Yield the packets of the copied tracks, in file order, as (seconds, packet)."""
    wanted = [source.streams[index] for index, copy in copies.items() if copy.type != "attachment"]
    if not wanted:
        return
    packets = source.demux(*wanted)
    while True:
        try:
            packet = next(packets)
        except (StopIteration, av.FFmpegError):
            return
        if packet.size == 0 or (packet.dts is None and packet.pts is None):
            continue
        packet.pts = packet.dts if packet.pts is None else packet.pts
        packet.dts = packet.pts if packet.dts is None else packet.dts
        if window.place(packet, is_text=packet.stream.type == "subtitle"):
            packet.stream = copies[packet.stream.index]
            yield packet.dts * packet.time_base, packet


def _lost_tags(plan: WritePlan, target: Path) -> list[str]:
    """Read the finished file back and name the tags that are not in it."""
    with open_container(target) as result:
        kept = {name.lower() for name in result.metadata}
        chapters = len(result.chapters())
    notes = []
    lost = [name for name in _tags(plan.clip.metadata, OWN_TAGS) if name.lower() not in kept]
    if lost:
        notes.append(f"tags that {plan.container.muxer} did not take: {', '.join(sorted(lost))}")
    if plan.clip.chapters and not chapters:
        notes.append(f"{len(plan.clip.chapters)} chapters are left out: {plan.container.muxer} does not hold them")
    return notes
