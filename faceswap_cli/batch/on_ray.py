"""Do the jobs of a batch on a Ray cluster: one job a call, to actors that keep networks and sources open.

Core actors and not Ray Data: a job is minutes of work that writes its own file, there are no rows to stream, and when
a worker is lost the manifest is to know of it. So the actor is restarted by Ray, its job handed out again by us. All
workers must see the files under the same paths.
"""

import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayActorError, RayError

from ..cluster import MOST_LOSSES, Worker, connected, first_line, greeted, hired, places, threads_of
from ..shelf import Shelf
from .desk import Desk, free
from .jobs import Job
from .one import Outcome, swap_job, taken_over
from .states import BUG, State

_PATIENCE, _PEEK_EVERY = 1.0, 2.0  # seconds between looks, between asking how far it is


class SwapActor(Worker):
    """Swaps one job after another in a process of its own; asked meanwhile, it tells how far it is."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._shelf = Shelf()
        self._frames: tuple[int, int | None] = (0, None)

    def swap(self, job: Job, report: Path) -> Outcome:
        """Swap a job."""
        self._frames = (0, None)
        return swap_job(job, report, self._note, self._shelf)

    def frames(self) -> tuple[int, int | None]:
        """Return how many frames of the job at hand are done, and of how many."""
        return self._frames

    def _note(self, done: int, total: int | None) -> None:
        self._frames = (done, total)


@dataclass(frozen=True, slots=True)
class _Task:
    """A job that is with a worker."""

    worker: Any
    job: Job
    state: State
    losses: int = 0  # workers that were lost at it


def work_on_ray(desk: Desk, jobs: list[Job], address: str, workers: int | None) -> None:
    """Do what waits on a cluster: `local` for this machine alone, `auto` for the one it belongs to, or an address.

    `workers` None means as many as the cluster has CPUs, or GPUs, for. Raises UsageError where no cluster answers, or a
    machine of it has no faceswap, or another version.
    """
    with connected(address):
        Crew(desk, workers).work(jobs)


class Crew:
    """The workers of a batch."""

    def __init__(self, desk: Desk, workers: int | None) -> None:
        self._desk, self._asked = desk, workers
        self._new: dict[Any, Any] = {}  # workers by their answer who they are
        self._idle: list[Any] = []
        self._tasks: dict[Any, _Task] = {}  # by their outcome
        self._again: deque[_Task] = deque()  # whose worker was lost
        self._peeked = 0.0

    def work(self, jobs: list[Job]) -> None:
        """Do what waits; Ctrl-C gives back what is with a worker."""
        try:
            while waiting := self._desk.waiting(jobs):
                if not self._idle:
                    self._hire(waiting)
                self._do(deque(waiting))
        except KeyboardInterrupt:
            for task in (*self._tasks.values(), *self._again):
                self._desk.give_back(task.job, "interrupted")
            raise

    def _hire(self, jobs: list[Job]) -> None:
        """Ask Ray for workers with what the jobs' options want."""
        for _ in range(min(len(jobs), self._asked or places(jobs[0].options))):
            worker = hired(SwapActor, jobs[0].options)
            self._new[worker.about.remote()] = worker

    def _do(self, queue: deque[Job]) -> None:
        while queue or self._again or self._tasks:
            while self._idle and (self._again or queue):
                if self._again:
                    self._hand(replace(self._again.popleft(), worker=self._idle.pop()))
                else:
                    self._begin(self._idle.pop(), queue.popleft())
            for ready in ray.wait([*self._new, *self._tasks], timeout=_PATIENCE)[0]:
                if ready in self._new:
                    self._greet(ready)
                elif self._end(ready) and self._desk.choices.halt_on_error:
                    queue.clear()
            self._peek()

    def _greet(self, answer: Any) -> None:
        """Take in a worker that says who it is; refuse a machine that lacks faceswap, or has another."""
        worker = self._new.pop(answer)
        if greeted(answer, is_only_hope=not (self._new or self._idle or self._tasks)):
            self._idle.append(worker)

    def _begin(self, worker: Any, job: Job) -> None:
        begun = self._desk.begin(job)
        if begun is None:
            self._idle.append(worker)
            return
        outcome = self._desk.taken_over(job, *begun)
        if outcome is not None:
            self._desk.end(job, outcome)
            self._idle.append(worker)
            return
        self._hand(_Task(worker, job, begun[0]))

    def _hand(self, task: _Task) -> None:
        job, report = free(task.job, task.state), self._desk.report(task.job)
        report.unlink(missing_ok=True)  # where there is one afterwards, this swap wrote it
        job = replace(job, options=replace(job.options, threads=threads_of(job.options)))
        self._tasks[task.worker.swap.remote(job, report)] = task

    def _end(self, ready: Any) -> bool:
        """Write down an outcome, or hand a job out again whose worker was lost; tell whether it failed."""
        task = self._tasks.pop(ready)
        try:
            outcome = ray.get(ready)
        except RayActorError as error:
            return self._lost(replace(task, losses=task.losses + 1), error)
        except RayError as error:
            outcome = Outcome(code=BUG, line=f"Ray failed: {type(error).__name__}: {first_line(error)}")
        self._idle.append(task.worker)
        return self._desk.end(task.job, outcome).name == "failed"

    def _lost(self, task: _Task, error: RayActorError) -> bool:
        """Go on with a job whose worker, or whole machine, is gone: with its result if it was finished."""
        self._new[task.worker.about.remote()] = task.worker
        outcome = taken_over(task.job, self._desk.report(task.job))
        if outcome is None and task.losses < MOST_LOSSES:
            self._desk.begin_again(task.job, task.state, "its worker was lost")
            self._again.append(task)
            return False
        if outcome is None:
            outcome = Outcome(code=BUG, line=f"{task.losses} workers were lost at it: {first_line(error)}")
        return self._desk.end(task.job, outcome).name == "failed"

    def _peek(self) -> None:
        """Ask the workers now and then how far they are."""
        if time.monotonic() - self._peeked < _PEEK_EVERY:
            return
        self._peeked = time.monotonic()
        asked = {task.worker.frames.remote(): task for task in self._tasks.values()}
        for answer in ray.wait([*asked], num_returns=len(asked), timeout=_PATIENCE)[0] if asked else []:
            with suppress(RayActorError, GetTimeoutError):
                self._desk.teller.tell(asked[answer].job, asked[answer].state, *ray.get(answer))
