"""Do the jobs of a batch on a Ray cluster: one job a call, to actors that keep networks and sources open.

Core actors and not Ray Data: a job is minutes of work that writes its own file, there are no rows to stream, and when
a worker is lost the manifest is to know of it. So the actor is restarted by Ray, its job handed out again by us. All
workers must see the files under the same paths.
"""

import logging
import os
import re
import socket
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import ray
from ray.exceptions import GetTimeoutError, RayActorError, RayError

from .._version import __version__
from ..errors import UsageError
from ..options import Options
from ..shelf import Shelf
from .desk import Desk, free
from .jobs import Job
from .one import Outcome, swap_job, taken_over
from .states import BUG, State

LOCAL, AUTO = "local", "auto"
MOST_LOSSES = 3  # workers that may be lost at a job before it counts as failed
_REACHED, _PATIENCE, _PEEK_EVERY = 5.0, 1.0, 2.0  # seconds: to connect, between looks, between asking how far it is

_MISSING = re.compile(r"No module named '([\w.]+)'")


class SwapActor:
    """Swaps one job after another in a process of its own; asked meanwhile, it tells how far it is."""

    def __init__(self) -> None:
        self._shelf = Shelf()
        self._frames: tuple[int, int | None] = (0, None)

    @ray.method(max_task_retries=-1)  # asked again of a worker that was lost, it answers once that is back
    def about(self) -> tuple[str, str]:
        """Return our version there, and the machine's name."""
        return __version__, socket.gethostname()

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
    with _connected(address):
        Crew(desk, workers).work(jobs)


@contextmanager
def _connected(address: str) -> Iterator[None]:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # swapping tells nobody anything
    _refuse_unreachable(address)
    asked: dict[str, Any] = {"include_dashboard": False} if address == LOCAL else {"address": address}
    logging.getLogger("ray").setLevel(logging.CRITICAL)  # what matters comes as an error
    try:
        ray.init(**asked, log_to_driver=False, logging_level=logging.CRITICAL)
    except (ConnectionError, RuntimeError, ValueError, RayError) as error:
        raise UsageError(_unreachable(address, str(error).splitlines()[0] if str(error) else "no answer")) from error
    try:
        yield
    finally:
        ray.shutdown()


def _refuse_unreachable(address: str) -> None:
    """Knock before Ray does, which takes minutes to give up."""
    if address in (LOCAL, AUTO):
        return
    try:
        place = urlsplit(address if "://" in address else f"//{address}")
        host, port = place.hostname, place.port
        if not host or not port:
            raise ValueError
    except ValueError:
        raise UsageError(f"ray is {address!r}: give local, auto, ray://host:10001 or host:6379") from None
    try:
        socket.create_connection((host, port), _REACHED).close()
    except OSError as error:
        raise UsageError(_unreachable(address, error.strerror or str(error))) from error


def _unreachable(address: str, why: str) -> str:
    return f"no Ray cluster answers at {address} ({why}): start one with `ray start --head`, or give --ray local"


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
        needs = _needs(jobs[0].options)
        count = min(len(jobs), self._asked or _places(needs))
        # The second thread of a worker answers while the first one swaps.
        actor = ray.remote(SwapActor).options(max_restarts=-1, max_task_retries=0, max_concurrency=2, **needs)
        for _ in range(count):
            worker: Any = actor.remote()
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
        try:
            version, host = ray.get(answer)
        except RayError as error:
            _refuse_bare_machine(error)
            if not (self._new or self._idle or self._tasks):
                raise UsageError(f"Ray could start no worker: {str(error).splitlines()[0]}") from error
            return
        if version != __version__:
            raise UsageError(f"{host} has faceswap {version}, this is {__version__}: install one version everywhere")
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
        job = replace(job, options=replace(job.options, threads=_threads(job.options)))
        self._tasks[task.worker.swap.remote(job, report)] = task

    def _end(self, ready: Any) -> bool:
        """Write down an outcome, or hand a job out again whose worker was lost; tell whether it failed."""
        task = self._tasks.pop(ready)
        try:
            outcome = ray.get(ready)
        except RayActorError as error:
            return self._lost(replace(task, losses=task.losses + 1), error)
        except RayError as error:
            outcome = Outcome(code=BUG, line=f"Ray failed: {type(error).__name__}: {str(error).splitlines()[0]}")
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
            outcome = Outcome(code=BUG, line=f"{task.losses} workers were lost at it: {str(error).splitlines()[0]}")
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


def _refuse_bare_machine(error: RayError) -> None:
    """Raise UsageError where a worker could not import what a swap needs."""
    missing = _MISSING.search(str(error))
    if missing:
        wanted = f"install faceswap-cli[ray] {__version__} on every one"
        raise UsageError(f"a machine of the cluster has no {missing[1]}: {wanted}") from error


def _threads(options: Options) -> int:
    """Return how many CPU threads a worker's networks get: one, where nothing is said; more workers gain more."""
    return options.threads or 1


def _needs(options: Options) -> dict[str, float]:
    """Return what a worker takes of a machine, in Ray's words."""
    has_gpu = options.device != "cpu" and ray.cluster_resources().get("GPU", 0) >= 1
    return {"num_cpus": _threads(options), "num_gpus": 1 if has_gpu or options.device == "cuda" else 0}


def _places(needs: dict[str, float]) -> int:
    """Return how many workers the cluster has room for, at least one."""
    has = ray.cluster_resources()
    per_cpu = has.get("CPU", 0) // needs["num_cpus"]
    per_gpu = has.get("GPU", 0) // needs["num_gpus"] if needs["num_gpus"] else per_cpu
    return max(1, int(min(per_cpu, per_gpu)))
