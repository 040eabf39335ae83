"""Cut a clip into parts at the fixed moments its output is cut at: each can be swapped by itself, wherever."""

import json
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Set
from dataclasses import dataclass, field
from math import ceil

from ..media.plan import WritePlan
from ..media.segments import SEGMENT_SECONDS, segment_number
from ..media.writer import OutputClock
from .frame_record import frame_of, frame_record
from .records import PlannedFrame

# Seconds of a part, where nobody says how many there are: of workers none waits for more to be located, and at the end
# none waits for long; who works alone gains nothing by short parts, but holds what is planned of one in memory.
LONGEST, LONGEST_ALONE = 60, 600


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Frames that follow one another, and all that is needed to swap them alone."""

    packed: bytes  # frames to be written, behind those that only their history needs: of a long film many wait
    first: int  # number of the first frame to be written
    last_pts: int | None  # of the output, before it
    seeks: bool  # whether the reader may begin in the middle: not where the clip is damaged

    @property
    def frames(self) -> list[PlannedFrame]:
        """The frames, unpacked."""
        return [frame_of(record) for record in json.loads(zlib.decompress(self.packed))]


@dataclass(frozen=True, slots=True, eq=False)
class Cuts:
    """How a clip is cut."""

    plan: WritePlan
    reach: int  # frames before one that its swap depends on
    stretches: int  # of the output in a part, at most
    finished: Set[int]  # numbers of stretches that need not be done again
    may_seek: Callable[[], bool]

    def cut(self, frames: Iterable[PlannedFrame]) -> Iterator[Part | None]:
        """Yield parts as their last frames come, and None for a frame with which none is complete."""
        clock, before = OutputClock(self.plan), deque[PlannedFrame](maxlen=self.reach)
        part = _Begun(self.stretches)
        for frame in frames:
            number = segment_number(frame.pts * self.plan.clip.time_base)
            yield self._whole(part) if part.ends_before(number, number in self.finished) else None
            if number not in self.finished:
                part.lead = part.lead if part.frames else (tuple(before), clock.last)
                part.add(frame, number)
            before.append(frame)
            clock.tick(frame.pts)
        if part.frames:
            yield self._whole(part)

    def _whole(self, part: "_Begun") -> Part:
        """Return what was begun as a part, and begin anew."""
        (before, last_pts), frames = part.lead, part.frames
        part.frames, part.numbers = [], set()
        records = [frame_record(frame, 0.0) for frame in (*before, *frames)]
        packed = zlib.compress(json.dumps(records).encode(), 1)
        return Part(packed, frames[0].index, last_pts, self.may_seek())


@dataclass(slots=True, eq=False)
class _Begun:
    """A part that is not complete yet."""

    most: int  # stretches
    frames: list[PlannedFrame] = field(default_factory=list)
    numbers: set[int] = field(default_factory=set)  # of its stretches
    lead: tuple[tuple[PlannedFrame, ...], int | None] = ((), None)  # frames before it, and the last pts of the output

    def ends_before(self, number: int, is_finished: bool) -> bool:
        """Tell whether a frame of a stretch is the first behind it."""
        return bool(self.frames) and (is_finished or (number not in self.numbers and len(self.numbers) == self.most))

    def add(self, frame: PlannedFrame, number: int) -> None:
        """Take a frame of a stretch."""
        self.frames.append(frame)
        self.numbers.add(number)


def stretches_of(seconds: float, parts: int | None, workers: int) -> int:
    """Return how many stretches of the output a part has, of a clip that lasts so long."""
    every = max(1, ceil(seconds / SEGMENT_SECONDS))
    most = ceil(every / (parts or workers))
    longest = LONGEST if workers > 1 else LONGEST_ALONE
    return most if parts else min(most, longest // SEGMENT_SECONDS)
