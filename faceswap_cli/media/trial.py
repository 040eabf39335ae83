"""Try out in memory whether a container takes a track in some way: with real packets, up to the file's end.

Many muxers find fault with a track only when they write its first packets or their own end.
"""

import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import av
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import Disposition

from .carriers import Way
from .packets import packets_of, stamps
from .plan import WritePlan
from .probe import Track, open_container

TRIED_PACKETS = 4  # of each track
LONGEST_SEARCH = 64 << 20  # bytes of the clip's beginning in which they are looked for
REFUSALS = (av.FFmpegError, ValueError)


class Trials:
    """The beginning of every track of a clip, on which ways into the plan's container are tried."""

    def __init__(self, source: InputContainer, plan: WritePlan) -> None:
        self.tracks = [track for track in plan.clip.tracks if _is_timed(source.streams[track.index])]
        self._source, self._muxer, self._joints = source, plan.container.muxer, plan.clip.joints
        self._packets = self._read_packets()

    def stream(self, track: Track) -> Any:
        """Return a track's stream, with a decoder that serves the trials alone."""
        return self._source.streams[track.index]

    def goes(self, track: Track, way: Way) -> bool:
        """Say whether a track's first packets can go this way."""
        return _goes(self.stream(track), way, self._muxer, map(_fresh, self._packets[track.index]))

    def _read_packets(self) -> dict[int, list[Packet]]:
        found: dict[int, list[Packet]] = {track.index: [] for track in self.tracks}
        size = 0
        for packet in packets_of(self._source, [self.stream(track) for track in self.tracks], self._joints):
            size += packet.size
            if len(found[packet.stream_index]) < TRIED_PACKETS:
                found[packet.stream_index].append(packet)
            if size > LONGEST_SEARCH or all(len(each) == TRIED_PACKETS for each in found.values()):
                break
        return found


@contextmanager
def open_trials(plan: WritePlan) -> Iterator[Trials]:
    """Read the first packets of the clip's tracks; its decoders are others than those of the real work."""
    with open_container(plan.clip.path) as source:
        yield Trials(source, plan)


def goes_whole(plan: WritePlan, index: int, way: Way) -> bool:
    """Say whether all packets of a track can go this way."""
    with open_container(plan.clip.path) as source:
        stream = source.streams[index]
        return _goes(stream, way, plan.container.muxer, packets_of(source, [stream], plan.clip.joints))


def mux_one(out: OutputContainer, packet: Packet) -> None:
    """Write a packet; one that the input calls damaged is passed over where the muxer cannot make sense of it."""
    damaged = packet.is_corrupt
    try:
        out.mux_one(packet)
    except av.InvalidDataError:
        if not damaged:
            raise


def _is_timed(stream: Any) -> bool:
    """Say whether a track lies in time, as attachments and covers do not, and is of a kind that the library knows."""
    timed = stream.type != "attachment" and not stream.disposition & Disposition.attached_pic
    return timed and stream.codec_context is not None


def _goes(stream: Any, way: Way, muxer: str, packets: Iterable[Packet]) -> bool:
    try:
        with av.open(Nowhere(), "w", format=muxer) as out:
            carrier = way.open(out, stream)
            out.start_encoding()
            for packet in _from_zero(packets):
                for each in carrier.carry(packet):
                    mux_one(out, each)
            for each in carrier.drain():
                mux_one(out, each)
    except REFUSALS:
        return False
    return True


def _from_zero(packets: Iterable[Packet]) -> Iterator[Packet]:
    """Move a track to time 0; each packet later than the one before, which the real work sees to in its own way."""
    first = last = None
    for packet in packets:
        pts, dts = stamps(packet)
        first = dts if first is None else first
        packet.dts = dts - first if last is None else max(dts - first, last + 1)
        packet.pts, last = max(pts - first, packet.dts), packet.dts
        yield packet


def _fresh(packet: Packet) -> Packet:
    """Copy a packet: a muxer changes the times of those it is given."""
    copy = Packet(bytes(packet))
    copy.pts, copy.dts, copy.duration = packet.pts, packet.dts, packet.duration
    copy.time_base, copy.is_keyframe = packet.time_base, packet.is_keyframe
    for each in packet.iter_sidedata():
        copy.set_sidedata(each)
    return copy


class Nowhere(io.RawIOBase):
    """A file that keeps nothing but its length, so that trying a long track takes no room."""

    def __init__(self) -> None:
        self._place = self._length = 0

    def writable(self) -> bool:
        """Say yes."""
        return True

    def seekable(self) -> bool:
        """Say yes."""
        return True

    def write(self, content: Any, /) -> int:
        """Count what would be written."""
        self._place += len(content)
        self._length = max(self._length, self._place)
        return len(content)

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go to another place."""
        self._place = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._length}[whence]
        return self._place

    def tell(self) -> int:
        """Say where the next write goes."""
        return self._place
