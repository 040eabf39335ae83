"""Keep where a clip's faces were found beside its unfinished output, so that no later run looks for them again.

Located frames are written down as they come, as in a plan of tracks, and at every moment the output is cut at what
finding them knows by then. A run that goes on reads what was found, decodes the clip from a little before the first
frame that is missing, and goes on finding faces behind the last such moment: the same faces, bit for bit.
"""

import json
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from ..errors import MediaError
from ..media.reader import Clip, ResumePoint
from ..media.segments import segment_number, write_atomically
from ..media.writer import ClipWriter, refused
from ..pipeline import Swapper
from ..stages.locator import Locator
from ..stages.state import decoded, encoded, frame_times
from ..stages.tally import Tally
from ..stages.track import Located
from ..types import Detections, Frame, PassedOver
from .frame_record import located_of, located_record
from .records import PlannedFrame


@dataclass(frozen=True, slots=True, eq=False)
class _Mark:
    """What was known at one moment of an earlier run."""

    located: int = 0  # frames that were located
    times: Mapping[int, int] = field(default_factory=dict)  # pts by number, of frames to be decoded again
    state: Mapping[str, Any] | None = None  # of the locator
    # by pts, of frames that were looked at and not located yet
    passed_over: Mapping[int, Sequence[PassedOver]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Trail:
    """Where the faces of a clip are, found now or by the run before."""

    clip: Clip
    swapper: Swapper
    writer: ClipWriter

    def located(self, tally: Tally, first: int | None = None) -> Generator[Located, None, None]:
        """Yield the frames of the clip, in order, with their faces and whom of them to swap.

        Those that are known come without their pictures, unless frame number `first` or a later one needs them to be
        swapped.
        """
        locator = self.swapper.equipment.locator()
        mark = self._mark([] if first is None else [max(first - self.swapper.equipment.reach, 0)])
        with closing(self._decoded(mark)) as frames:
            yield from self._known(mark, frames, locator, tally)
            with closing(self.swapper.located(frames, tally, locator)) as located:
                yield from self._noted(located, tally, locator, mark.located)

    def _mark(self, needed: Sequence[int]) -> _Mark:
        """Return what an earlier run left; all frames from one of these numbers on are to be decoded again."""
        rows, kept = self.writer.store.trail
        try:
            said = json.loads(kept.read_bytes())
            times = frame_times(said["locator"])
            begin = min([*needed, *times])
            planned = [(each.index, each.pts) for each in _read(rows, said["located"])]
            if [index for index, _ in planned] != list(range(said["located"])):
                return _Mark()
            times |= {index: pts for index, pts in planned if index >= begin}
            passed_over = {pts: decoded(each) for pts, each in said["passed_over"]}
        except (OSError, ValueError, KeyError, TypeError):
            return _Mark()
        return _Mark(said["located"], times, said["locator"], passed_over)

    def _decoded(self, mark: _Mark) -> Generator[Frame, None, None]:
        """Decode the clip from the first frame on that is needed, from its beginning where that gives other times."""
        start, end, number = self.swapper.options.start, self.swapper.options.end, min(mark.times, default=0)
        points = [None] if number == 0 else [ResumePoint(mark.times[number], number), None]
        for point in points:
            with closing(self.clip.frames(start, end, point)) as frames:
                for frame in frames:
                    if mark.times.get(frame.index, frame.pts) != frame.pts:
                        break
                    if frame.index == number:
                        yield frame
                        number += 1
            if number > max(mark.times, default=-1):
                return
        raise MediaError(
            f"{self.clip.path.name} is not read as it was when this was begun (frame {number}): delete "
            f"{self.writer.plan.work_folder}"
        )

    def _known(
        self, mark: _Mark, frames: Iterator[Frame], locator: Locator, tally: Tally
    ) -> Generator[Located, None, None]:
        """Yield what was located, and give the locator what it knew by then."""
        if mark.state is None:
            return
        named, pictured = frame_times(mark.state), dict[int, Frame]()
        for planned in _read(self.writer.store.trail[0], mark.located):
            frame = next(frames) if planned.index in mark.times else planned.without_picture(self.clip)
            if planned.index in named:
                pictured[planned.index] = frame
            tally.pass_over(frame, Detections((), planned.passed_over))
            yield planned.located(frame)
        for frame in islice(frames, max(named) + 1 - mark.located):
            pictured[frame.index] = frame
            tally.pass_over(frame, Detections((), tuple(mark.passed_over[frame.pts])))
        locator.restore(mark.state, pictured)

    def _noted(
        self, located: Iterator[Located], tally: Tally, locator: Locator, known: int
    ) -> Generator[Located, None, None]:
        """Yield located frames once they are written down behind those known."""
        stretch: int | None = None
        with self._rows(known) as rows:
            for each in located:
                before, stretch = stretch, segment_number(each.frame.time)
                try:
                    rows.write(_row(each, tally))
                    rows.flush()
                    if before not in (None, stretch):
                        self._keep(each.frame.index + 1, tally, locator)
                except OSError as error:
                    raise refused(self.writer.plan, error) from error
                yield each

    def _rows(self, known: int) -> BinaryIO:
        """Open the file of located frames behind those known."""
        path = self.writer.store.trail[0]
        try:
            rows = path.open("r+b" if known else "wb")
            rows.seek(sum(map(len, islice(rows, known))))
            rows.truncate()
        except OSError as error:
            raise refused(self.writer.plan, error) from error
        return rows

    def _keep(self, located: int, tally: Tally, locator: Locator) -> None:
        """Write down what is known; of a damaged clip nothing, as what is read of it depends on where one begins."""
        path = self.writer.store.trail[1]
        if self.clip.losses():
            path.unlink(missing_ok=True)
            return
        state = locator.state()
        ahead = [pts for number, pts in frame_times(state).items() if number >= located]
        passed_over = [[pts, encoded(tuple(tally.passed_over(pts)))] for pts in ahead]
        write_atomically(path, json.dumps({"located": located, "passed_over": passed_over, "locator": state}).encode())


def _row(located: Located, tally: Tally) -> bytes:
    frame = located.frame
    planned = PlannedFrame.of(located, tally.passed_over(frame.pts))
    return json.dumps(located_record(planned, float(frame.shown))).encode() + b"\n"


def _read(path: Path, count: int) -> Iterator[PlannedFrame]:
    with path.open("rb") as rows:
        for record in map(json.loads, islice(rows, count)):
            yield located_of(record)
