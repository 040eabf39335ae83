"""Find where a file holds several recordings in a row, and shift the timestamps of each behind those of the last.

At such a joint every track's time jumps back, as each transport stream begins anew. Joints are found from decoding
times (dts) and positions in the file (bytes), without decoding; all tracks of a recording shift by the same time, so
that they stay in sync.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import accumulate, pairwise
from typing import Any

JUMP_BACK = Fraction(1, 10)  # seconds; less is a clock that trembles (ffmpeg's own bound, fftools/ffmpeg_demux.c)
TIMED_KINDS = ("video", "audio")
Gap = tuple[int, int]  # bytes: the last packet known to lie before a joint, the first known to lie behind it


@dataclass(frozen=True, slots=True)
class Joints:
    """Where the parts of a file begin, and by how much the times of each are moved."""

    places: tuple[int, ...] = ()  # byte of the file from which on each part but the first lies
    shifts: tuple[Fraction, ...] = (Fraction(0),)  # seconds, of every part
    duration: Fraction | None = None  # seconds from the first part's beginning to the last one's end, with joints

    def told(self) -> list[str]:
        """Say in words for people what is moved."""
        if not self.places:
            return []
        by = ", ".join(f"{float(shift):.2f} s" for shift in self.shifts[1:4]) + ", ..." * (len(self.places) > 3)
        where = "1 place" if len(self.places) == 1 else f"{len(self.places)} places"
        return [
            f"recordings are joined in this clip, its time jumps back at {where}: what follows is moved behind what "
            f"came before, pictures and sound alike (by {by})"
        ]


class Mover:
    """Moves the packets of one reading of a file, in the file's order."""

    def __init__(self) -> None:
        self._places = _Places()

    def move(self, packet: Any, joints: Joints) -> None:
        """Bring a packet's times behind all parts before its own."""
        place = self._places.of(packet)
        shift = joints.shifts[bisect_right(joints.places, place)]
        if shift:
            ticks = round(shift / packet.time_base)
            packet.pts = None if packet.pts is None else packet.pts + ticks
            packet.dts = None if packet.dts is None else packet.dts + ticks


def find_joints(read: Callable[[], Iterable[Any]]) -> Joints:
    """Look for joints; `read` gives the packets of a file from its beginning, again and again where there are any."""
    courses: dict[int, _Course] = {}
    for packet, place in _timed(read()):
        courses.setdefault(packet.stream_index, _Course()).follow(packet.dts * packet.time_base, place)
    gaps = _merged([gap for course in courses.values() for gap in course.gaps])
    places = [behind for _, behind in _agreed(gaps, read())] if gaps else []
    return _shifted(places, read()) if places else Joints()


def is_timed(packet: Any) -> bool:
    """Say whether a packet tells when it is decoded, and is not one to be thrown away."""
    return packet.size > 0 and packet.dts is not None and not packet.is_discard


class _Places:
    """Where packets lie in the file; a packet whose place it does not tell lies with its track's last one."""

    def __init__(self) -> None:
        self._last: dict[int, int] = {}

    def of(self, packet: Any) -> int:
        if packet.pos is not None and packet.pos >= 0:
            self._last[packet.stream_index] = packet.pos
        return self._last.get(packet.stream_index, 0)


def _timed(packets: Iterable[Any]) -> Iterable[tuple[Any, int]]:
    """Give the packets of pictures and sound that tell their time and are shown, each with its place."""
    places = _Places()
    for packet in packets:
        if is_timed(packet) and packet.stream.type in TIMED_KINDS:
            yield packet, places.of(packet)


@dataclass(slots=True)
class _Course:
    """One track's time along the file. A single packet with a wrong time is no joint."""

    gaps: list[Gap] = field(default_factory=list)
    _before: Fraction | None = None  # the time of the last packet but one
    _last: Fraction | None = None
    _last_place: int = 0
    _doubtful: tuple[Fraction, Gap] | None = None  # a jump back from this time, until the next packet bears it out

    def follow(self, time: Fraction, place: int) -> None:
        if self._doubtful is not None and time < self._doubtful[0]:
            self.gaps.append(self._doubtful[1])
        self._doubtful = None
        if self._last is not None and time < self._last - JUMP_BACK and (self._before is None or time < self._before):
            self._doubtful = self._last, (self._last_place, place)
        self._before, self._last, self._last_place = self._last, time, place


def _merged(gaps: list[Gap]) -> list[Gap]:
    """Make one gap of those that overlap: the tracks of a part begin one after the other."""
    merged: list[Gap] = []
    for before, behind in sorted(gaps):
        if merged and before < merged[-1][1]:
            merged[-1] = before, min(behind, merged[-1][1])
        else:
            merged.append((before, behind))
    return merged


def _agreed(gaps: list[Gap], packets: Iterable[Any]) -> list[Gap]:
    """Leave out gaps over which a track goes on as if nothing was: there another track's clock is wrong."""
    places: list[int] = [behind for _, behind in gaps]
    denied: set[int] = set()  # numbers of gaps
    ends: dict[int, tuple[int, Fraction, Fraction]] = {}  # track -> part, time and duration of its last packet
    for packet, place in _timed(packets):
        part, time = bisect_right(places, place), packet.dts * packet.time_base
        last_part, last, duration = ends.get(packet.stream_index, (part, time, Fraction(0)))
        if 0 < time - last <= 2 * duration:
            denied.update(range(last_part, part))
        ends[packet.stream_index] = part, time, (packet.duration or 0) * packet.time_base
    return [gap for number, gap in enumerate(gaps) if number not in denied]


def _shifted(places: list[int], packets: Iterable[Any]) -> Joints:
    """Move each part so that nothing of it is shown or heard before the end of all before it."""
    extents: dict[int, tuple[Fraction, Fraction]] = {}
    for packet, place in _timed(packets):
        begin = (packet.dts if packet.pts is None else packet.pts) * packet.time_base
        end = begin + (packet.duration or 0) * packet.time_base
        known = extents.setdefault(bisect_right(places, place), (begin, end))
        extents[bisect_right(places, place)] = min(begin, known[0]), max(end, known[1])
    parts = [extents[part] for part in sorted(extents)]
    shifts = list(accumulate((end - begin for (_, end), (begin, _) in pairwise(parts)), initial=Fraction(0)))
    return Joints(tuple(places), tuple(shifts), parts[-1][1] + shifts[-1] - parts[0][0])
