"""Do the jobs of a batch, one after another.

What an earlier run has done is left; what its process died at comes last, so that one clip that kills its process does
not keep the others from being done.
"""

import time
from collections.abc import Callable, Iterable

from ..app.swap import open_source, run_of
from ..extras import load
from ..shelf import Shelf
from .choices import BatchOptions
from .desk import Desk, Progress, Teller, free
from .jobs import Job, make_folders, settled
from .manifest import Manifest
from .one import swap_job
from .report import BatchResult, write_whole
from .states import State


def swap_many(
    jobs: Iterable[Job], options: BatchOptions | None = None, progress: Progress | None = None
) -> BatchResult:
    """Swap many photos and clips; go on behind whatever an earlier call with the same manifest has done.

    A job that fails becomes a state with its exit code, and the others go on. `progress` hears of every change of a
    state and of every frame. Raises UsageError, before any work, for jobs that get in each other's way; what is wrong
    with a source that all jobs share; OutputError where states cannot be written.
    """
    choices, began = options or BatchOptions(), time.monotonic()
    jobs = settled(jobs)
    with Manifest(choices) as manifest:
        mine = [job for job in jobs if choices.shard is None or choices.shard.holds(manifest.key_of(job.target))]
        make_folders(mine)
        manifest.plan({manifest.key_of(job.target): str(job.input) for job in mine})
        desk = Desk(manifest, choices, Teller(len(mine), progress))
        try:
            if choices.ray is None:
                Worker(desk).work(mine)
            else:
                load("faceswap_cli.batch.on_ray").work_on_ray(desk, mine, choices.ray, choices.workers)
        finally:
            result = desk.result(mine, time.monotonic() - began)
            write_whole(choices.whole_report, manifest, result)
    return result


class Worker:
    """Does jobs in this process; networks and sources stay open from job to job."""

    def __init__(self, desk: Desk) -> None:
        self._desk, self._shelf = desk, Shelf()

    def work(self, jobs: list[Job]) -> None:
        """Do what waits, until nothing does, or a job has failed and that is to end it."""
        while waiting := self._desk.waiting(jobs):
            self._refuse_shared_source(waiting)
            for job in waiting:
                state = self._do(job)
                if state is not None and state.name == "failed" and self._desk.choices.halt_on_error:
                    return

    def _refuse_shared_source(self, jobs: list[Job]) -> None:
        """Raise what is wrong with the one source of all jobs: not ten thousand times what can be said once."""
        if len(jobs) > 1 and len({(job.sources, job.options) for job in jobs}) == 1:
            open_source(run_of(jobs[0].sources, jobs[0].input, jobs[0].options), self._shelf)

    def _do(self, job: Job) -> State | None:
        begun = self._desk.begin(job)
        if begun is None:
            return None
        state, before = begun
        try:
            outcome = self._desk.taken_over(job, state, before)
            if outcome is None:
                outcome = swap_job(free(job, state), self._desk.report(job), self._telling(job, state), self._shelf)
        except KeyboardInterrupt:
            self._desk.give_back(job, "interrupted")
            raise
        return self._desk.end(job, outcome)

    def _telling(self, job: Job, state: State) -> Callable[[int, int | None], None]:
        return lambda done, total: self._desk.teller.tell(job, state, done, total)
