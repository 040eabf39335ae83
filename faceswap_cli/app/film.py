"""When a clip is swapped by a plan of its tracks, by which, and what its workers open."""

import os
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from ..errors import MediaError, NoFaceError, UsageError
from ..media.people_file import read_people
from ..media.plan import WritePlan
from ..media.reader import Clip, open_clip
from ..media.segments import SegmentStore
from ..media.writer import ClipWriter
from ..options import Options
from ..parts.bench import Bench
from ..parts.crew import OpenBench
from ..parts.film import Film
from ..parts.plan_file import Heading, TrackPlan, read_plan
from ..parts.settings import settings_of
from ..parts.trail import Trail
from ..pipeline import Swapper
from .opening import label_for, open_swapper, read_roles
from .report import Run

ONE_PASS = "earlier work chose people as it went, and a plan knows them from their first frame on"


def given_plan(run: Run) -> TrackPlan | None:
    """Return the plan of tracks a user gives; None where they give none, or it is still to be made.

    Raises UsageError for one that cannot be used, NoFaceError for one by which nobody is swapped.
    """
    path = run.options.plan
    if path is None or not path.exists():
        return None
    plan = read_plan(path, heading_of(run))
    if not any(person.swap for person in plan.people):
        raise NoFaceError(f"by {path} nobody is swapped: nothing is written; set somebody's swap to true")
    return plan


def heading_of(run: Run) -> Heading:
    """Return what a plan of a run's tracks is of; raise MediaError for a photo that cannot be read."""
    sources = [(who, [path.name for path in photos]) for who, photos in run.cast.items()]
    try:
        return Heading(run.input, settings_of(list(run.cast), run.options), sources)
    except OSError as error:
        raise MediaError(f"{error.filename} cannot be read: {error.strerror}") from error


def film_of(run: Run, clip: Clip, swapper: Swapper, writer: ClipWriter, given: TrackPlan | None) -> Film | None:
    """Return how a clip is swapped by a plan; None where nobody asks for one and no earlier run has left one.

    What an earlier run swapped of people it had not recognised yet is dropped where a plan is made now.
    """
    options, store, trail = run.options, writer.store, Trail(clip, swapper, writer)
    if options.plan is not None:
        return replace(begun_film(run, clip, swapper, options.plan, given), trail=trail)
    left = _left_plan(store, heading_of(run)) if store.track_plan.exists() else None
    if left is None and not options.has_crew and options.parts is None:
        return None
    if left is None and store.finished and swapper.equipment.cast.recogniser is not None:
        writer.begin_anew(ONE_PASS)
    return replace(begun_film(run, clip, swapper, store.track_plan, left), trail=trail)


def begun_film(run: Run, clip: Clip, swapper: Swapper, path: Path, known: TrackPlan | None) -> Film:
    """Return a clip with its plan, which goes to `path` where it is not known."""
    people = None if run.options.people is None else read_people(run.options.people, run.input)
    return Film(clip, swapper, path, heading_of(run), known, people)


def bench_of(run: Run, swapper: Swapper, plan: WritePlan) -> OpenBench:
    """Return what opens a bench: here with what is open already, or in each worker."""
    if not run.options.has_crew:
        return lambda: Bench(open_clip(run.input), swapper, plan)
    return partial(open_bench, replace(run, options=_as_worker(run.options)), plan)


def open_bench(run: Run, plan: WritePlan) -> Bench:
    """Open all that swaps parts of a clip in a worker's process, to be written as was planned by who started it."""
    clip = open_clip(run.input)
    return Bench(clip, open_swapper(run, read_roles(run), label=label_for(clip, run.options)), plan)


def _as_worker(options: Options) -> Options:
    """Return the options of one of several workers: a share of the cores, unless somebody says how many threads."""
    share = 1 if options.ray is not None else max(1, (os.cpu_count() or 1) // (options.workers or 1))
    alone: dict[str, Any] = {"report": None, "workers": None, "parts": None, "plan": None, "ray": None}
    return replace(options, threads=options.threads or share, force=True, **alone)


def _left_plan(store: SegmentStore, heading: Heading) -> TrackPlan | None:
    """Return the plan that an earlier run left beside its work; one that does not fit, or was edited, is dropped."""
    try:
        plan = read_plan(store.track_plan, heading)
    except UsageError:
        plan = None
    if plan is None or plan.edit is not None:
        store.track_plan.unlink(missing_ok=True)
        return None
    return plan
