"""Put a finished clip together: our pictures from the packet files, everything else copied from the input bit for bit.

Pictures keep their pts; dts is the sorted pts held back by the reorder depth, which is exact and rises over the joints
of stretches.
"""

import heapq
from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from math import lcm
from pathlib import Path
from typing import Any, cast

import av
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from ..errors import OutputError
from .disclosure import append_xmp_box, container_tags
from .encode import set_up
from .gif import write_gif
from .plan import GIF, MOV, MP4, OWN_TAGS, STILLS, WritePlan
from .probe import open_container, pts_of
from .segments import SegmentStore, packet_times, read_packets
from .stills import write_stills
from .tracks import Cargo, add_tracks, packets_of, stamps, true_tags

NOTICED_SHAPE = 0.02  # share by which pixels may be wider or narrower unsaid
NOTICED_LATENESS = Fraction(1, 25)  # seconds that a track may begin early unsaid
LARGEST_TIMESCALE = 1 << 24
Timed = tuple[Fraction, Packet]  # seconds of the packet's dts, by which tracks are interleaved
# Tags that MP4's iTunes-like list holds; with any other the file uses free key names instead.
LISTED_TAGS = frozenset(
    """title artist album_artist author album date genre composer comment copyright description synopsis show network
    episode_id lyrics track disc grouping make model keywords creation_time location location-eng""".split()  # noqa: SIM905
)


def mux(plan: WritePlan, store: SegmentStore, target: Path) -> list[str]:
    """Write the whole clip to `target`, a new folder for numbered photos; returns notes on what was not taken over."""
    if not store.finished:
        raise OutputError(f"{plan.output} was not written: there is no frame to write")
    if plan.container is GIF:
        return write_gif(plan, store, target)
    if plan.container is STILLS:
        return write_stills(plan, store, target)
    with open_container(plan.clip.path) as source:
        notes = _mux_from(source, plan, store, target)
    if plan.container in (MP4, MOV) and plan.disclosure:
        append_xmp_box(target, plan.model)
    return notes + _rounding(plan, store) + _losses(plan, target)


def _mux_from(source: InputContainer, plan: WritePlan, store: SegmentStore, target: Path) -> list[str]:
    tags = _tags(plan.clip.metadata, OWN_TAGS)
    if plan.disclosure:
        tags = container_tags(tags, free_names=plan.container not in (MP4, MOV), model=plan.model)
    options = _container_options(plan, source, tags)
    with av.open(
        str(target), "w", plan.container.muxer, container_options=options, metadata_errors="surrogateescape"
    ) as out:
        video = _add_video(out, plan)
        cargo = add_tracks(out, source, plan)
        out.metadata.update(tags)
        window = _Window(plan, store)
        if plan.clip.chapters:
            out.set_chapters(list(window.chapters(plan.clip.chapters)))
        pictures, others = _pictures(plan, store, video, window), _others(source, cargo, window)
        for _, packet in heapq.merge(pictures, others, key=lambda timed: timed[0]):
            out.mux_one(packet)
    if window.unheard:
        before = "the first picture" if plan.container.begins_at_once else "time 0, never heard,"
        cargo.notes.append(f"sound packets before {before} are left out ({window.unheard})")
    return cargo.notes + window.told_late(plan.container.muxer)


def _container_options(plan: WritePlan, source: InputContainer, tags: dict[str, str]) -> dict[str, str]:
    if plan.container not in (MP4, MOV):
        return {}
    flags = "+faststart+use_metadata_tags" if set(tags) - LISTED_TAGS else "+faststart"
    return {
        "movflags": flags,
        "video_track_timescale": str(plan.time_base.denominator),
        "movie_timescale": str(_movie_timescale(plan, source)),
    }


def _movie_timescale(plan: WritePlan, source: InputContainer) -> int:
    """Choose the unit of edit lists so that every track can start at its exact moment, in samples or ticks."""
    rates = [stream.codec_context.sample_rate for stream in source.streams.audio if stream.codec_context is not None]
    exact = lcm(plan.time_base.denominator, *(rate for rate in rates if rate))
    return exact if exact <= LARGEST_TIMESCALE else plan.time_base.denominator


def _tags(tags: dict[str, str], without: frozenset[str]) -> dict[str, str]:
    return {name: value for name, value in tags.items() if name.lower() not in without}


def _add_video(out: OutputContainer, plan: WritePlan) -> VideoStream:
    """Add the stream of our pictures; its encoder is opened for the stream header alone and never fed."""
    stream = cast(VideoStream, out.add_stream(plan.encoder, rate=plan.clip.average_rate))
    set_up(stream.codec_context, plan)
    stream.time_base = plan.time_base
    if plan.codec == "hevc" and plan.container in (MP4, MOV):
        stream.codec_context.codec_tag = "hvc1"
    if plan.clip.display_matrix is not None and plan.container.keeps_rotation:
        stream.set_display_matrix(plan.clip.display_matrix)
    stream.metadata.update(true_tags(plan.clip.video_metadata))
    return stream


class _Window:
    """The part of the input's time that is kept, and how far it moves towards zero."""

    def __init__(self, plan: WritePlan, store: SegmentStore) -> None:
        first = store.finished[0].first_pts
        at_once = plan.container.begins_at_once
        self.begin = None if plan.start is None else first * plan.time_base
        self.end = plan.end_time
        self.shift = first * plan.time_base if at_once else self.begin or Fraction(0)
        from_matroska = plan.clip.container.startswith("matroska") and not at_once
        self.drops_unheard = plan.container.starts_at_zero and not from_matroska
        self.unheard = 0  # packets before time 0, which only prime a decoder, or before all pictures: left out
        self.late: dict[int, Fraction] | None = {} if at_once else None  # track -> seconds it should begin later

    def place(self, packet: Packet, is_text: bool) -> bool:
        """Move a packet to the output's time; False when it does not lie inside the window."""
        pts, dts = stamps(packet)
        start = pts * packet.time_base
        end = start + (packet.duration or 0) * packet.time_base
        if self.begin is not None and start < self.begin:
            return False
        if self.drops_unheard and end <= self.shift:
            self.unheard += 1
            return False
        if self.end is not None and (start >= self.end if is_text else end > self.end):
            return False
        if is_text and self.end is not None and end > self.end:
            packet.duration = round((self.end - start) / packet.time_base)
        ticks = round(self.shift / packet.time_base)
        packet.pts, packet.dts = pts - ticks, dts - ticks
        if self.late is not None:
            self.late.setdefault(packet.stream_index, packet.pts * packet.time_base)
        return True

    def timed(self, packet: Packet) -> Timed:
        """Give a packet its place among the others; none before 0 where that would push back the pictures."""
        if self.late is not None:
            pts, dts = stamps(packet)
            packet.pts, packet.dts = max(0, pts), max(0, dts)
        return _timed(packet)

    def told_late(self, muxer: str) -> list[str]:
        """Say which tracks begin earlier than they should."""
        late = {index: float(seconds) for index, seconds in (self.late or {}).items() if seconds > NOTICED_LATENESS}
        return [
            f"track {index} begins {late[index]:.2f} s early: {muxer} lets every track begin at once" for index in late
        ]

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


def _pictures(plan: WritePlan, store: SegmentStore, stream: VideoStream, window: _Window) -> Iterator[Timed]:
    """Yield our own packets with dts and time set, in coding order."""
    shift = round(window.shift / plan.time_base)
    depth = max(segment.reorder for segment in store.finished)
    first = store.finished[0].first_pts
    usual = max(1, round(1 / (plan.clip.average_rate * plan.time_base)))
    waiting = deque(first - place * usual for place in range(depth, 0, -1))
    for segment in store.finished:
        waiting.extend(sorted(packet_times(store.path(segment))))
        for packet in read_packets(store.path(segment)):
            packet.stream, packet.time_base = stream, plan.time_base
            packet.pts, packet.dts = pts_of(packet) - shift, waiting.popleft() - shift
            yield _timed(packet)


def _others(source: InputContainer, cargo: Cargo, window: _Window) -> Iterator[Timed]:
    """Yield the packets of all other tracks, in file order."""
    yield from (_timed(packet) for packet in cargo.opening)
    for packet in packets_of(source, [source.streams[index] for index in cargo.carriers]):
        if window.place(packet, is_text=packet.stream.type == "subtitle"):
            yield from (window.timed(each) for each in cargo.carriers[packet.stream_index].carry(packet))
    for carrier in cargo.carriers.values():
        yield from (window.timed(each) for each in carrier.drain())


def _timed(packet: Packet) -> Timed:
    return stamps(packet)[1] * packet.time_base, packet


def _rounding(plan: WritePlan, store: SegmentStore) -> list[str]:
    """Say when times lie between the ticks of the container."""
    tick = plan.container.tick
    if tick is None:
        return []
    begin = store.finished[0].first_pts if plan.start is not None else 0
    times = (pts for segment in store.finished for pts in packet_times(store.path(segment)))
    if not any((pts - begin) * plan.time_base % tick for pts in times):
        return []
    return [f"{plan.container.muxer} holds times in {tick} s: those of the pictures are rounded"]


def _losses(plan: WritePlan, target: Path) -> list[str]:
    """Read the finished file back and name what is not in it."""
    with open_container(target) as result:
        kept = {name.lower() for name in result.metadata}
        chapters = len(result.chapters())
        shape = result.streams.video[0].sample_aspect_ratio or Fraction(1)
    notes = []
    wanted = plan.clip.sample_aspect_ratio or Fraction(1)
    if abs(shape - wanted) > NOTICED_SHAPE * wanted:
        notes.append(f"pixels of the shape {wanted} are shown square: {plan.codec} in {plan.container.muxer} lost it")
    lost = [name for name in _tags(plan.clip.metadata, OWN_TAGS) if name.lower() not in kept]
    if lost:
        notes.append(f"tags that {plan.container.muxer} did not take: {', '.join(sorted(lost))}")
    if plan.clip.chapters and not chapters:
        notes.append(f"{len(plan.clip.chapters)} chapters are left out: {plan.container.muxer} does not hold them")
    return notes
