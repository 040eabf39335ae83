"""Put a finished clip together: our pictures from the packet files, everything else copied from the input bit for bit.

Pictures keep their pts; dts is the sorted pts held back by the reorder depth, which is exact and rises over the joints
of stretches.
"""

import heapq
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from math import lcm
from pathlib import Path
from typing import Any, cast

import av
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from ..errors import OutputError
from .carriers import true_tags
from .disclosure import append_xmp_box, container_tags
from .encode import set_up
from .gif import write_gif
from .packets import packets_of, stamps
from .plan import GIF, MOV, MP4, OWN_TAGS, STILLS, WritePlan
from .probe import open_container, pts_of, reason
from .segments import SegmentStore, packet_times, read_packets
from .stills import write_stills
from .tracks import Cargo, add_tracks, tracks_that_fail
from .trial import REFUSALS, Nowhere, mux_one

TRIED_SECONDS = 2  # of the tracks, in a trial
WRONG_TRACKS = (av.ArgumentError, av.InvalidDataError)  # what a muxer says of packets it cannot write
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
    notes = _mux_whatever_goes(plan, store, target)
    if plan.container in (MP4, MOV) and plan.disclosure:
        append_xmp_box(target, plan.model)
    return notes + _rounding(plan, store) + _losses(plan, target)


def try_mux(plan: WritePlan) -> None:
    """Put the beginning of all tracks, the tags and chapters together in memory, without pictures of ours.

    Raises OutputError where the container does not take them; else this would be known after the last frame.
    """
    if plan.container in (GIF, STILLS):
        return
    first_pts = round(((plan.start or 0) + plan.clip.start_time) / plan.time_base)
    try:
        _mux_into(Nowhere(), _Work(plan, first_pts, lambda video, window: iter(()), seconds=TRIED_SECONDS))
    except REFUSALS as error:
        if isinstance(error, WRONG_TRACKS) and tracks_that_fail(plan):
            return  # these will be written anew or left out
        what = f"{plan.container.muxer} does not take what lies beside the pictures ({reason(error)})"
        raise OutputError(f"{plan.output} cannot be written: {what}; choose another kind of file") from error


def _mux_whatever_goes(plan: WritePlan, store: SegmentStore, target: Path) -> list[str]:
    """Write the file; a track that fails in its middle is written anew or left out, and all is put together again."""
    work = _Work(plan, store.finished[0].first_pts, partial(_pictures, plan, store))
    try:
        return _mux_into(str(target), work)
    except WRONG_TRACKS:
        failing = tracks_that_fail(plan)
        if not failing:
            raise
    return _mux_into(str(target), replace(work, uncopied=failing))


@dataclass(frozen=True, slots=True)
class _Work:
    """What is put together: everything, or in a trial the beginning of the tracks."""

    plan: WritePlan
    first_pts: int  # of the pictures
    pictures: "Callable[[VideoStream, _Window], Iterator[Timed]]"
    uncopied: frozenset[int] = frozenset()  # tracks that must not go as they are
    seconds: int | None = None  # of the tracks; None means all


def _mux_into(target: str | Nowhere, work: _Work) -> list[str]:
    with open_container(work.plan.clip.path) as source:
        return _mux_from(source, target, work)


def _mux_from(source: InputContainer, target: str | Nowhere, work: _Work) -> list[str]:
    plan, window = work.plan, _Window(work.plan, work.first_pts)
    tags = _tags(plan.clip.metadata, OWN_TAGS)
    if plan.disclosure:
        tags = container_tags(tags, free_names=plan.container not in (MP4, MOV), model=plan.model)
    options = _container_options(plan, source, tags, index_first=work.seconds is None)
    with av.open(
        target, "w", plan.container.muxer, container_options=options, metadata_errors="surrogateescape"
    ) as out:
        video = _add_video(out, plan)
        cargo = add_tracks(out, source, plan, work.uncopied)
        out.metadata.update(tags)
        if plan.clip.chapters:
            out.set_chapters(list(window.chapters(plan.clip.chapters)))
        pictures, others = work.pictures(video, window), _others(source, cargo, window, work)
        for _, packet in heapq.merge(pictures, others, key=lambda timed: timed[0]):
            mux_one(out, packet)
    return [*cargo.notes, *window.told(plan)]


def _container_options(
    plan: WritePlan, source: InputContainer, tags: dict[str, str], index_first: bool
) -> dict[str, str]:
    if plan.container not in (MP4, MOV):
        return {}
    flags = ["faststart"] * index_first + ["use_metadata_tags"] * bool(set(tags) - LISTED_TAGS)
    units = {
        "video_track_timescale": str(plan.time_base.denominator),
        "movie_timescale": str(_movie_timescale(plan, source)),
    }
    return units | ({"movflags": "+".join(["", *flags])} if flags else {})


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

    def __init__(self, plan: WritePlan, first: int) -> None:
        at_once = plan.container.begins_at_once
        self.begin = None if plan.start is None else first * plan.time_base
        self.end = plan.end_time
        self.shift = first * plan.time_base if at_once else self.begin or Fraction(0)
        from_matroska = plan.clip.container.startswith("matroska") and not at_once
        self.drops_unheard = plan.container.starts_at_zero and not from_matroska
        self.unheard = 0  # packets before time 0, which only prime a decoder, or before all pictures: left out
        self.late: dict[int, Fraction] | None = {} if at_once else None  # track -> seconds it should begin later
        self.damaged: Counter[int] = Counter()  # packets of each track that the file calls damaged
        self.mended: Counter[int] = Counter()  # packets of each track that went back in time
        self._last: dict[int, int] = {}  # dts of each track's last packet, in ticks of the input
        self._rises = plan.container in (MP4, MOV)  # each packet's dts must be later than the one before

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

    def timed(self, packet: Packet, track: int) -> Timed:
        """Give a packet its place among the others; none before 0 where that would push back the pictures."""
        if self.late is not None:
            pts, dts = stamps(packet)
            packet.pts, packet.dts = max(0, pts), max(0, dts)
        if packet.stream.type in ("audio", "video"):
            self._keep_order(packet, track)
        return _timed(packet)

    def _keep_order(self, packet: Packet, track: int) -> None:
        """Let no packet go back in time: a muxer would refuse it, and with it the file."""
        pts, dts = stamps(packet)
        last = self._last.get(track, dts - 1)
        if dts < last or (dts == last and self._rises):
            self.mended[track] += dts < last
            packet.pts, packet.dts = max(pts, last + self._rises), last + self._rises
        self._last[track] = stamps(packet)[1]

    def told(self, plan: WritePlan) -> list[str]:
        """Say what of the tracks is not where it was, and what was not whole."""
        notes = []
        if self.unheard:
            before = "the first picture" if plan.container.begins_at_once else "time 0, never heard,"
            notes.append(f"sound packets before {before} are left out ({self.unheard})")
        for index, seconds in (self.late or {}).items():
            if seconds > NOTICED_LATENESS:
                why = f"{plan.container.muxer} lets every track begin at once"
                notes.append(f"track {index} begins {float(seconds):.2f} s early: {why}")
        for index, count in self.mended.items():
            notes += [f"packets of track {index} that go back in time: {count}; moved"] * bool(count)
        for index, count in self.damaged.items():
            count -= len(plan.clip.joints.places)  # where packets are not damaged, only numbered anew
            notes += [f"damaged packets of track {index}: {count}; kept where {plan.container.muxer} takes them"] * (
                count > 0
            )
        return notes

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


def _others(source: InputContainer, cargo: Cargo, window: _Window, work: _Work) -> Iterator[Timed]:
    """Yield the packets of all other tracks, in file order."""
    yield from (_timed(packet) for packet in cargo.opening)
    streams = [source.streams[index] for index in cargo.carriers]
    for packet in _beginning(packets_of(source, streams, work.plan.clip.joints), work.seconds):
        index = packet.stream_index
        window.damaged[index] += packet.is_corrupt
        if window.place(packet, is_text=packet.stream.type == "subtitle"):
            yield from (window.timed(each, index) for each in cargo.carriers[index].carry(packet))
    for index, carrier in cargo.carriers.items():
        yield from (window.timed(each, index) for each in carrier.drain())


def _beginning(packets: Iterator[Packet], seconds: int | None) -> Iterator[Packet]:
    """Give the packets of so many seconds, or all."""
    first: Fraction | None = None
    for packet in packets:
        time = stamps(packet)[1] * packet.time_base
        first = time if first is None else first
        if seconds is not None and time - first > seconds:
            return
        yield packet


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
