"""Hand out the jobs of a batch and take back what became of them.

Every job is claimed in the manifest before it is begun, so any number of processes may be at one manifest. What is done
is left, unless what it depends on has changed; what belongs to somebody else is never replaced.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import OutputError
from .choices import BatchOptions
from .jobs import Job
from .looks import MISSING, Looker, stamp_of
from .manifest import Manifest
from .one import Outcome, taken_over
from .report import BatchResult, report_path
from .states import Stamp, State

SKEW = 2.0  # seconds by which the clock of a file server may differ


@dataclass(frozen=True, slots=True)
class Update:
    """What is told of a job: a new state, or how far it is."""

    job: Job
    state: State
    ended: int  # jobs of this run that need no more work, this one among them or not
    total: int  # jobs of this run
    frames: int = 0  # done, of a clip that is running
    frames_total: int | None = None


Progress = Callable[[Update], None]


class Teller:
    """Tells how far a run is."""

    def __init__(self, total: int, progress: Progress | None) -> None:
        self.total, self.ended = total, 0
        self._progress = progress

    def tell(self, job: Job, state: State, frames: int = 0, frames_total: int | None = None) -> None:
        """Tell a job's state, or how far it is."""
        if self._progress is not None:
            self._progress(Update(job, state, self.ended, self.total, frames, frames_total))


class Desk:
    """Hands out jobs and takes back what became of them."""

    def __init__(self, manifest: Manifest, choices: BatchOptions, teller: Teller) -> None:
        self.choices, self.teller = choices, teller
        self._manifest, self._looker = manifest, Looker()
        self._tried: set[str] = set()  # each job is begun once in a run

    def waiting(self, jobs: list[Job]) -> list[Job]:
        """Return the jobs that this run may begin now, those that processes died at behind the others."""
        states = self._manifest.states()
        open_jobs = [(job, states.get(self._key(job))) for job in jobs if self._key(job) not in self._tried]
        doable = [(job, state) for job, state in open_jobs if self._why(job, state) is not None]
        self.teller.ended = len(jobs) - len(doable)
        return [job for job, _ in sorted(doable, key=lambda each: self._deaths(each[1]))]

    def begin(self, job: Job) -> tuple[State, State | None] | None:
        """Claim a job; return its state from now on and the one before, None where it is another's or to be left."""
        look, before = self._looker.observe(job), list[State | None]()

        def begin(state: State | None) -> State | None:
            before.append(state)
            why = self._why(job, state)
            if why is None:
                return None
            existing = stamp_of(job.target)
            if existing != MISSING and not (job.options.force or _is_ours(existing, state)):
                return self._manifest.state("skipped", line=f"{job.target} exists: --force replaces it")
            there = None if existing == MISSING else existing
            return self._manifest.state("running", look=look, before=there, line=why)

        state = self._manifest.claim(self._key(job), begin)
        self._tried.add(self._key(job))
        if state is None:
            return None
        self.teller.ended += state.name == "skipped"
        self.teller.tell(job, state)
        return (state, before[0]) if state.name == "running" else None

    def taken_over(self, job: Job, state: State, before: State | None) -> Outcome | None:
        """Return the outcome of what a dead process had finished and had no time to tell."""
        if before is None or before.name != "running" or before.look is None:
            return None
        if state.before in (None, before.before) or self._looker.change(job, before.look):
            return None
        return taken_over(job, self.report(job))

    def end(self, job: Job, outcome: Outcome) -> State:
        """Write down what became of a job."""
        values = {name: getattr(outcome, name) for name in ("code", "line", "output", "sha256", "seconds", "frames")}
        report = self.report(job).relative_to(self._manifest.path.parent).as_posix()
        state = self._manifest.state("failed" if outcome.code else "done", **values, report=report)
        self._manifest.note(self._key(job), state)
        self.teller.ended += 1
        self.teller.tell(job, state)
        return state

    def begin_again(self, job: Job, state: State, why: str) -> None:
        """Note that a job of this run is begun once more."""
        self._manifest.note(
            self._key(job), self._manifest.state("running", look=state.look, before=state.before, line=why)
        )
        self.teller.tell(job, state)

    def give_back(self, job: Job, why: str) -> None:
        """Let a job that was begun be done later."""
        state = self._manifest.state("planned", line=why)
        self._manifest.note(self._key(job), state)
        self.teller.tell(job, state)

    def report(self, job: Job) -> Path:
        """Return where a job's report goes."""
        return report_path(self._manifest.folder, self._key(job), job.target)

    def result(self, jobs: list[Job], seconds: float) -> BatchResult:
        """Sum up what is known of the jobs."""
        states = self._manifest.states()
        return BatchResult(tuple(jobs), tuple(states[self._key(job)] for job in jobs), round(seconds, 3), self.choices)

    def _key(self, job: Job) -> str:
        return self._manifest.key_of(job.target)

    def _deaths(self, state: State | None) -> int:
        return 0 if state is None else state.deaths + (state.name == "running")

    def _why(self, job: Job, state: State | None) -> str | None:
        """Say why a job is to be done, empty for the first time; None where it is not."""
        if state is None or state.name == "planned":
            return ""
        if state.name == "running":
            return None if self._manifest.is_at_work(state) else "its process ended in the midst of it"
        existing = stamp_of(job.target)
        if state.name == "skipped":
            return "" if job.options.force or existing == MISSING else None
        if state.name == "failed" and self.choices.retry_failed:
            return "it failed before"
        if state.name == "done" and existing == MISSING:
            return "its result is gone"
        return (self._looker.change(job, state.look) if state.look else "") or None


def free(job: Job, state: State) -> Job:
    """Return a begun job that may replace what lies under its output's name; else it had been skipped."""
    return replace(job, options=replace(job.options, force=state.before is not None))


def _is_ours(existing: Stamp, state: State | None) -> bool:
    """Tell whether what lies under the output's name was made by this batch, and by nobody changed since."""
    if state is None:
        return False
    if state.name == "done":
        return existing == state.output
    # A failure leaves a result only where what comes behind it, its report, could not be written.
    begun = state.look is not None and (state.name != "failed" or state.code == OutputError.exit_code)
    written = existing.mtime_ns / 1e9
    in_time = written >= state.at - SKEW if state.name == "running" else written <= state.at + SKEW
    return begun and in_time and existing != state.before
