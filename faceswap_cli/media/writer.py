"""Write a swapped clip: blend, encode in stretches, and put the whole together at the end.

Last stop of a frame's way. Nothing appears under the final name before it is whole; a broken run keeps its finished
stretches and the same plan goes on behind them.
"""

from bisect import bisect_left
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import av

from ..errors import FaceSwapError, NoFaceError, OutputError
from ..types import Swapped
from .encode import PictureEncoder, open_encoder
from .interrupt import held_back
from .mux import mux, try_mux
from .plan import Seal, WritePlan, plan_output, refuse_existing
from .planes import blend
from .probe import pts_of, reason
from .reader import ResumePoint
from .segments import (
    Segment,
    SegmentStore,
    file_sha256,
    packet_times,
    part_path,
    segment_number,
    sync,
    write_packet,
)
from .sequence import is_sequence, members

__all__ = ["ClipWriter", "WritePlan", "WriteReport", "plan_output"]


OTHER_WORK = "earlier work is of another input, other photos, networks or options, or is damaged"


@dataclass(frozen=True, slots=True)
class WriteReport:
    """What was written."""

    output: Path
    frames: int
    resumed_frames: int  # of these, taken over from an earlier run
    faces_found: int
    faces_swapped: int
    size: int  # bytes
    codec: str
    encoder: str  # its name in the library
    pixel_format: str
    notes: tuple[str, ...]  # what is not as in the input, for people


@dataclass(frozen=True, slots=True)
class EarlierWork:
    """What a run of a plan will find."""

    frames: int  # finished, and taken over
    why_afresh: str | None  # where nothing is taken over, for people


def look_at_earlier_work(plan: WritePlan) -> EarlierWork:
    """Say where a run of this plan would begin, and touch nothing; OutputError while another run is at work on it."""
    store = SegmentStore(plan.work_folder, plan.fingerprint)
    store.peek()
    if store.finished:
        return EarlierWork(store.resumed_frames, None)
    if store.discarded:
        return EarlierWork(0, f"{OTHER_WORK}: it will be dropped")
    return EarlierWork(0, "no finished work of an earlier run is there")


class ClipWriter:
    """Take swapped frames in order of time and write them by plan; a context manager.

    Leaving it before `finish` keeps the finished stretches, and where faces are, for the next run of the same plan, and
    a note on the error says where; nothing stays where neither is known yet or there is no face. Raises OutputError for
    whatever the disk or the encoder refuses.
    """

    def __init__(self, plan: WritePlan) -> None:
        self.plan = plan
        self.store = SegmentStore(plan.work_folder, plan.fingerprint)
        self._stretches: Stretches | None = None
        self._resumed_frames = 0
        self._why_afresh = OTHER_WORK

    def __enter__(self) -> Self:
        open_encoder(self.plan)  # refuses before any work what it would refuse at the first frame
        try_mux(self.plan)  # and what it would refuse behind the last one
        try:  # to the end: Ctrl-C in here finds no `__exit__` that would clear the folder away
            self.store.open()
            self._go_on()
        except BaseException as error:
            self.store.close()
            if isinstance(error, OSError) and not isinstance(error, FaceSwapError):
                raise refused(self.plan, error) from error
            raise
        return self

    def _go_on(self) -> None:
        beginning = self.store.beginning
        clock = OutputClock(self.plan, beginning[-1].last_pts if beginning else None)
        self._resumed_frames = self.store.resumed_frames
        self._stretches = Stretches(self.plan, clock, self.store.add)

    def begin_anew(self, why: str) -> None:
        """Drop what an earlier run finished, before anything is written: `why` says what it is, for people."""
        self._why_afresh = why
        try:
            self.store.begin_anew()
        except OSError as error:
            raise refused(self.plan, error) from error
        self._go_on()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._stretches is not None:
            self._stretches.abandon()
        if isinstance(error, NoFaceError):
            self.store.remove()
            return
        self.store.close()
        if error is not None and self.store.finished:
            folder = self.plan.work_folder
            done = f"{self.store.resumed_frames} finished frames are kept in {folder}"
            error.add_note(f"{done}, the same command goes on behind them")
        elif error is not None and self.store.knows_places:
            error.add_note(f"who is where is kept in {self.plan.work_folder}, the same command goes on from there")

    @property
    def resume_from(self) -> ResumePoint | None:
        """Where the reader is to go on, None at the beginning; valid once the writer is entered."""
        beginning = self.store.beginning
        if not beginning:
            return None
        return ResumePoint(beginning[-1].last_input_pts + 1, sum(segment.frames for segment in beginning))

    @property
    def started_afresh(self) -> bool:
        """Whether earlier work was there but of another input or other options, and was dropped."""
        return self.store.discarded

    def write(self, swapped: Swapped) -> None:
        """Blend one frame's patches and encode it; one of a stretch that is finished is passed over."""
        assert self._stretches is not None, "a writer is entered before it writes"
        try:
            self._stretches.write(swapped, self._is_finished(segment_number(swapped.frame.time)))
        except (OSError, av.FFmpegError) as error:
            raise refused(self.plan, error) from error

    def take(self, segment: Segment, path: Path) -> None:
        """Count a stretch as finished that somebody else wrote into a file of the work folder."""
        try:
            self.store.add(segment, path)
        except OSError as error:
            raise refused(self.plan, error) from error

    def _is_finished(self, number: int) -> bool:
        place = bisect_left(self.store.finished, number, key=lambda segment: segment.number)
        return [segment.number for segment in self.store.finished[place : place + 1]] == [number]

    def finish(self, seal: Seal | None = None) -> WriteReport:
        """Put the stretches, sound and other tracks together under the final name, and clean up.

        `seal` is given each whole file before it gets its name.
        """
        refuse_existing(self.plan.output, self.plan.force)
        whole = self.store.folder / f"whole{self.plan.output.suffix}"
        try:
            if self._stretches is not None:
                self._stretches.finish()
            notes = mux(self.plan, self.store, whole)
            parts = sorted(whole.iterdir()) if whole.is_dir() else [whole]
            for part in parts:
                if seal is not None:
                    seal(part)
                sync(part)
            names = [self.plan.output.with_name(part.name) for part in parts] if whole.is_dir() else [self.plan.output]
            with held_back(f"{self.plan.output} is finished and whole"):
                _rename(parts, names)
                report = self._report(notes)
                self.store.remove()
        except FaceSwapError:
            raise
        except (OSError, av.FFmpegError) as error:
            raise refused(self.plan, error) from error
        return report

    def _report(self, notes: list[str]) -> WriteReport:
        finished = self.store.finished
        numbered = members(self.plan.output) if is_sequence(self.plan.output) else {}
        outputs = numbered.values() or [self.plan.output]
        return WriteReport(
            output=self.plan.output,
            frames=self.store.resumed_frames,
            resumed_frames=self._resumed_frames,
            faces_found=sum(segment.faces_found for segment in finished),
            faces_swapped=sum(segment.faces_swapped for segment in finished),
            size=sum(path.stat().st_size for path in outputs),
            codec=self.plan.codec,
            encoder=self.plan.encoder,
            pixel_format=self.plan.pixel_format,
            notes=(*self._beginning(), *self.plan.notes, *self.plan.clip.losses(), *notes),
        )

    def _beginning(self) -> list[str]:
        return [f"{self._why_afresh}: it was dropped, and all was done afresh"] if self.started_afresh else []


def refused(plan: WritePlan, error: BaseException) -> OutputError:
    """Word what the disk or the encoder says."""
    return OutputError(f"{plan.output} cannot be written: {reason(error)}")


def _rename(parts: list[Path], names: list[Path]) -> None:
    """Give all files their final names, or none where the system refuses one."""
    done: list[tuple[Path, Path]] = []
    try:
        for part, name in zip(parts, names, strict=True):
            part.replace(name)
            done.append((part, name))
        sync(names[0].parent)
    except OSError:
        for part, name in done:
            name.replace(part)
        raise


class OutputClock:
    """Tells a frame's time in the output's own units."""

    def __init__(self, plan: WritePlan, last: int | None = None) -> None:
        """Go on behind a frame of the output, `last` in its units; None begins."""
        self._from, self._to, self.last = plan.clip.time_base, plan.time_base, last

    def tick(self, pts: int) -> int:
        """Return the next frame's pts in the output's time base; the same number wherever the container can hold it."""
        moved = pts if self._to == self._from else round(pts * self._from / self._to)
        self.last = moved if self.last is None else max(moved, self.last + 1)
        return self.last


class Stretches:
    """Frames in order of time, encoded in stretches; each is handed on with its file once it is finished."""

    def __init__(self, plan: WritePlan, clock: OutputClock, done: Callable[[Segment, Path], None]) -> None:
        self._plan, self._clock, self._done = plan, clock, done
        self._stretch: _Stretch | None = None

    def write(self, swapped: Swapped, is_finished: bool = False) -> None:
        """Blend one frame's patches and encode it, unless its stretch is finished already."""
        number, pts = segment_number(swapped.frame.time), self._clock.tick(swapped.frame.pts)
        if self._stretch is not None and number != self._stretch.number:
            self.finish()
        if is_finished:
            return
        picture = blend(swapped.frame.picture, swapped.layers, self._plan.clip.orientation)
        if self._stretch is None:
            path = part_path(self._plan.work_folder, number)
            self._stretch = _Stretch(self._plan, path, number, swapped.frame.index)
        self._stretch.add(picture, pts, swapped)

    def finish(self) -> None:
        """Finish the stretch at hand."""
        if self._stretch is not None:
            self._done(self._stretch.finish(), self._stretch.path)
            self._stretch = None

    def abandon(self) -> None:
        """Drop the stretch at hand."""
        if self._stretch is not None:
            self._stretch.abandon()
            self._stretch = None


class _Stretch:
    """One stretch of frames on its way through an encoder of its own into a packet file."""

    def __init__(self, plan: WritePlan, path: Path, number: int, first_frame: int) -> None:
        self.number, self.path = number, path
        self._plan, self._first_frame = plan, first_frame
        self._file: BinaryIO = path.open("wb")
        self._encoder = PictureEncoder(plan)
        self._durations: dict[int, int] = {}
        self._pts: list[int] = []
        self._last_input_pts = self._faces_found = self._faces_swapped = 0

    def add(self, picture: av.VideoFrame, pts: int, swapped: Swapped) -> None:
        """Encode one picture."""
        self._pts.append(pts)
        self._durations[pts] = self._duration(picture.duration)
        self._last_input_pts = swapped.frame.pts
        self._faces_found += swapped.faces_found
        self._faces_swapped += len(swapped.patches)
        self._keep(self._encoder.encode(picture, pts))

    def finish(self) -> Segment:
        """Drain the encoder and settle the file on disk."""
        self._keep(self._encoder.drain())
        self._file.close()
        sync(self.path)
        return Segment(
            number=self.number,
            frames=len(self._pts),
            first_frame=self._first_frame,
            first_pts=self._pts[0],
            last_pts=self._pts[-1],
            last_input_pts=self._last_input_pts,
            reorder=_reorder_depth(packet_times(self.path)),
            faces_found=self._faces_found,
            faces_swapped=self._faces_swapped,
            size=self.path.stat().st_size,
            sha256=file_sha256(self.path),
        )

    def abandon(self) -> None:
        """Close and delete the half-written file."""
        with suppress(OSError):  # what could not be written then cannot be flushed now
            self._file.close()
        self.path.unlink(missing_ok=True)

    def _keep(self, packets: list[av.Packet]) -> None:
        for packet in packets:
            write_packet(self._file, packet, self._durations.pop(pts_of(packet)))

    def _duration(self, ticks: int) -> int:
        """Bring a picture's duration to the output's time base; the usual one where the file tells none."""
        clip, time_base = self._plan.clip, self._plan.time_base
        seconds = ticks * clip.time_base if ticks else Fraction(1) / clip.average_rate
        return max(1, round(seconds / time_base))


def _reorder_depth(times: list[int]) -> int:
    """Say how many places a packet may come before its turn: what dts must be held back by."""
    place = {pts: index for index, pts in enumerate(sorted(times))}
    return max((index - place[pts] for index, pts in enumerate(times)), default=0)
