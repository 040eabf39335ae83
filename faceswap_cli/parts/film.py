"""Swap a clip by the plan of its tracks: locate everybody, before or meanwhile, and swap what is missing part by part.

The frames are those of a run without a plan, bit for bit: a part begins its history as many frames early as the recipe
says, and each stretch of the output is encoded by itself in either.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from ..media.people_file import People
from ..media.reader import Clip
from ..media.writer import ClipWriter
from ..options import Options
from ..pipeline import Swapper
from ..stages.tally import Tally
from ..stages.track import Located
from ..types import Detections, PassedOver, Swapped
from .bench import News, PartDone, StretchDone
from .crew import OpenBench, alone, crew_for, together
from .cut import Cuts, Part, stretches_of
from .plan_file import Heading, PlanWriter, TrackPlan, read_plan
from .records import PlannedFrame
from .roll import Roll
from .trail import Trail
from .whole_tracks import whole_tracks

Progress = Callable[[int, int | None], None]  # frames done, frames in all (None when unknown)


@dataclass(frozen=True, slots=True, eq=False)
class Film:
    """A clip to be swapped by a plan, and what that takes."""

    clip: Clip
    swapper: Swapper
    path: Path  # of the plan
    heading: Heading
    known: TrackPlan | None  # None where the plan is to be made
    people: People | None = None  # of the input, by name
    trail: Trail | None = None  # where a broken run leaves what it located; None where nothing but the plan is written
    seen: Tally = field(default_factory=Tally)  # what was met where it was located

    @property
    def options(self) -> Options:
        """What was asked for."""
        return self.swapper.options

    @property
    def frames(self) -> int:
        """How many frames there are, or about how many."""
        options = self.options
        return self.known.frame_count if self.known else self.clip.estimated_frames(options.start, options.end)

    def locate(self, progress: Progress | None = None) -> Generator[PlannedFrame, None, None]:
        """Yield the clip's frames by what is in them, and write the plan behind the last one, if anybody is swapped.

        Where somebody is named, none is yielded before all are located: who a track is counts from its first frame.
        """
        writer = PlanWriter(self.path, self.heading, Roll(self.people))
        try:
            with closing(self._planned(progress)) as located, closing(self._decided(located)) as frames:
                for planned in frames:
                    writer.add(planned, float(planned.without_picture(self.clip).shown))
                    yield planned
            if self.seen.frames_with_face:
                writer.finish(self.clip.losses())
        finally:
            writer.discard()

    def _planned(self, progress: Progress | None) -> Generator[PlannedFrame, None, None]:
        with closing(self._located()) as located:
            for each in located:
                planned = PlannedFrame.of(each, self.seen.passed_over(each.frame.pts))
                self.seen.add(each)
                _tell(progress, self.seen.frames, self.frames)
                yield planned

    def _decided(self, located: Generator[PlannedFrame, None, None]) -> Generator[PlannedFrame, None, None]:
        cast = self.swapper.equipment.cast
        if cast.recogniser is None:
            return located
        return whole_tracks(located, self.clip, cast, self.path.with_name(self.path.name + ".seen.part"))

    def _located(self) -> Generator[Located, None, None]:
        if self.trail is not None:
            return self.trail.located(self.seen)
        return self.swapper.located(self.clip.frames(self.options.start, self.options.end), self.seen)

    def plan(self) -> TrackPlan:
        """Return the plan, read from where it was written."""
        return self.known or read_plan(self.path, self.heading)


def swap_film(film: Film, writer: ClipWriter, open_bench: OpenBench, progress: Progress | None) -> Tally:
    """Swap and encode what is missing of a clip; return what was met in all of it.

    A plan is made where there is none: first where this process swaps alone, else while a crew swaps what it tells
    already. Raises what locating and workers raise; what is finished by then is kept.
    """
    done, missed = writer.store.resumed_frames, dict[int, tuple[PassedOver, ...]]()
    _tell(progress, done, film.frames)
    with closing(_news(film, writer, open_bench)) as news:
        for each in news:
            if isinstance(each, StretchDone):
                writer.take(each.segment, each.path)
            elif isinstance(each, PartDone):
                _take_in(film.swapper, each)
            else:
                missed[each.number] = each.missed
                done += 1
                _tell(progress, done, film.frames)
    if not film.known and not film.seen.frames_with_face:
        return film.seen
    return _counted(film.clip, film.plan(), missed)


def _news(film: Film, writer: ClipWriter, open_bench: OpenBench) -> Generator[News, None, None]:
    crew = crew_for(film.options, open_bench)
    if crew is not None:
        with closing(film.known.frames() if film.known else film.locate()) as frames:
            yield from together(crew, _parts(film, writer, frames, crew.size))
        return
    if film.known is None:
        deque(film.locate(), maxlen=0)
    if film.known or film.seen.frames_with_face:
        with closing(film.plan().frames()) as frames:
            yield from alone(open_bench, _parts(film, writer, frames))


def _parts(film: Film, writer: ClipWriter, frames: Iterable[PlannedFrame], workers: int = 1) -> Iterable[Part | None]:
    known = film.known
    seconds = float(film.frames / film.clip.average_rate)
    return Cuts(
        plan=writer.plan,
        reach=film.swapper.equipment.reach,
        stretches=stretches_of(seconds, film.options.parts, workers),
        finished={segment.number for segment in writer.store.finished},
        may_seek=lambda: not (known.damage if known else film.clip.losses()),
    ).cut(frames)


def _take_in(swapper: Swapper, part: PartDone) -> None:
    swapper.equipment.likeness.add(part.looks)
    swapper.stopwatch.add(part.seconds)


def _tell(progress: Progress | None, done: int, frames: int) -> None:
    if progress is not None and done:
        progress(done, max(frames, done) if frames else None)


def _counted(clip: Clip, plan: TrackPlan, missed: dict[int, tuple[PassedOver, ...]]) -> Tally:
    """Go through the plan once more, as if all of it had been met frame by frame."""
    tally = Tally()
    for planned in plan.frames():
        frame = planned.without_picture(clip)
        tally.pass_over(frame, Detections((), planned.passed_over))
        tally.add(planned.located(frame))
        if missed.get(planned.index):
            tally.miss(Swapped(frame, (), 0, missed=missed[planned.index]))
    return tally
