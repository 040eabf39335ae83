"""Tell what a batch did: one JSON report for the whole, beside those of its jobs."""

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._version import __version__
from ..errors import OutputError
from ..media.segments import write_atomically
from .choices import BatchOptions
from .jobs import Job
from .manifest import REPORTS, Manifest
from .states import NAMES, State, worst

SCHEMA_VERSION = 1
LONGEST_STEM = 50  # letters of an output's name that its report is called by; four bytes each are the most


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What is known of the jobs at the end of a run."""

    jobs: tuple[Job, ...]  # those of this run's shard, every path absolute
    states: tuple[State, ...]  # one for each
    seconds: float
    options: BatchOptions

    @property
    def code(self) -> int:
        """The exit code of the worst failure, 0 without any."""
        return worst(self.states)

    @property
    def counts(self) -> dict[str, int]:
        """How many jobs are in each state."""
        return counted(self.states)


def counted(states: Any) -> dict[str, int]:
    """Count states by name, all names in order."""
    counts = Counter(state.name for state in states)
    return {name: counts[name] for name in NAMES}


def report_path(folder: Path, key: str, output: Path) -> Path:
    """Return where a job's report goes; never outside the folder, whatever the output is called."""
    digest = hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()[:12]
    return folder / REPORTS / f"{output.stem[:LONGEST_STEM]}-{digest}.json"


def whole_record(manifest: Manifest, result: BatchResult) -> dict[str, Any]:
    """Return the report of the whole as JSON holds it."""
    shard = result.options.shard
    return {
        "schema_version": SCHEMA_VERSION,
        "faceswap_version": __version__,
        "manifest": str(manifest.path),
        "shard": None if shard is None else str(shard),
        "code": result.code,
        "seconds": result.seconds,
        "counts": result.counts,
        "jobs": [job_record(*each) for each in zip(result.jobs, result.states, strict=True)],
    }


def job_record(job: Job, state: State) -> dict[str, Any]:
    """Return one job's line of the report."""
    told = {name: getattr(state, name) for name in ("code", "line", "sha256", "frames", "seconds", "report")}
    paths = {"sources": [str(path) for path in job.sources], "input": str(job.input), "output": str(job.output)}
    return paths | {"state": state.name} | {name: value for name, value in told.items() if value}


def write_whole(path: Path, manifest: Manifest, result: BatchResult) -> None:
    """Write the report of the whole; raise OutputError where it cannot be."""
    try:
        write_atomically(path, json.dumps(whole_record(manifest, result), indent=1).encode())
    except OSError as error:
        raise OutputError(
            f"report {path} cannot be written: {error.strerror}; the states are in the manifest"
        ) from error
