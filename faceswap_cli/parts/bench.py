"""Swap one part of a clip: decode its frames, put the plan's faces into them, swap, and encode its stretches."""

from collections import deque
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import av

from ..errors import MediaError
from ..media.plan import WritePlan
from ..media.reader import Clip, ResumePoint
from ..media.segments import Segment
from ..media.writer import OutputClock, Stretches, refused
from ..pipeline import Swapper
from ..stages.likeness import Looks
from ..stages.tally import Tally
from ..stages.track import Located
from ..types import PassedOver, Swapped
from .cut import Part


@dataclass(frozen=True, slots=True)
class FrameDone:
    """One frame more is swapped and encoded."""

    number: int
    missed: tuple[PassedOver, ...] = ()  # faces of which nothing is to be seen


@dataclass(frozen=True, slots=True)
class StretchDone:
    """A stretch of the output lies whole in a file."""

    segment: Segment
    path: Path


@dataclass(frozen=True, slots=True, eq=False)
class PartDone:
    """A part is swapped, and what was seen in it."""

    looks: Looks  # of a few frames, how like the source their faces are, since the beginning
    seconds: dict[str, float]  # by stage, since the part before


News = FrameDone | StretchDone | PartDone


@dataclass(frozen=True, slots=True, eq=False)
class Bench:
    """All that one process needs to swap parts of one clip, one after another."""

    clip: Clip
    swapper: Swapper
    plan: WritePlan

    def swap(self, part: Part) -> Generator[News, None, None]:
        """Swap a part and yield what is done as it is; closing the iterator drops the stretch at hand."""
        done = deque[News]()
        clock = OutputClock(self.plan, part.last_pts)
        stretches = Stretches(self.plan, clock, lambda segment, path: done.append(StretchDone(segment, path)))
        try:
            for swapped in self._frames(part):
                with self._encoding():
                    stretches.write(swapped)
                yield from done
                yield FrameDone(swapped.frame.index, swapped.missed)
                done.clear()
            with self._encoding():
                stretches.finish()
            yield from done
        finally:
            stretches.abandon()
        yield PartDone(self.swapper.equipment.likeness.looks, self.swapper.stopwatch.taken())

    def _frames(self, part: Part) -> Iterator[Swapped]:
        located = placed(self.clip, part, self.plan)
        with closing(self.swapper.swapped(located, Tally(), part.first)) as frames:
            yield from frames

    @contextmanager
    def _encoding(self) -> Iterator[None]:
        """Count the time of the block, and say of what it raises that the output cannot be written."""
        try:
            with self.swapper.stopwatch.stage("encode"):
                yield
        except (OSError, av.FFmpegError) as error:
            raise refused(self.plan, error) from error


def placed(clip: Clip, part: Part, plan: WritePlan) -> Generator[Located, None, None]:
    """Decode the frames of a part, each with the plan's faces.

    It begins in the middle of the clip, and from its beginning where that gives other times than those planned. Raises
    MediaError where both do.
    """
    waiting = deque(part.frames)
    first = waiting[0]
    readings = [clip.frames(plan.start, plan.end)]
    if part.seeks and first.index > 0:
        readings.insert(0, clip.frames(plan.start, plan.end, ResumePoint(first.pts, first.index)))
    for reading in readings:
        with closing(reading) as frames:
            for frame in frames:
                if (frame.pts, frame.index) == (waiting[0].pts, waiting[0].index):
                    yield waiting.popleft().located(frame)
                    if not waiting:
                        return
                elif frame.index >= waiting[0].index:
                    break
    raise MediaError(
        f"{clip.path.name} is not read as it was when its plan was made (frame {waiting[0].index}): delete the plan"
    )
