"""Swap one job and say what became of it: whatever goes wrong is a state, not an error."""

import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .._version import __version__
from ..app.swap import into_clip, into_photo, run_of
from ..errors import FaceSwapError, told
from ..media.segments import write_atomically
from ..media.sniff import kind_of
from ..shelf import Shelf
from .jobs import Job
from .looks import digest_of, stamp_of
from .states import BUG, Stamp

Frames = Callable[[int, int | None], None]  # done, in all where that is known


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a job."""

    code: int = 0  # exit code; 0 means done
    line: str = ""  # for people, of a failure
    output: Stamp | None = None
    sha256: str = ""
    seconds: float = 0.0
    frames: int = 0
    notes: tuple[str, ...] = ()


def swap_job(job: Job, report: Path, frames: Frames | None, shelf: Shelf) -> Outcome:
    """Swap one job and write its report; only Ctrl-C comes through."""
    began = time.monotonic()
    try:
        report.unlink(missing_ok=True)  # where there is one afterwards, this swap wrote it
        run = run_of(job.source, job.input, replace(job.options, report=report))
        swap = into_photo if kind_of(run.input) == "photo" else into_clip
        done = swap(run, job.target, frames, shelf)
        return finished(job.target, done.frames, time.monotonic() - began, done.notes)
    except FaceSwapError as error:
        outcome = Outcome(code=error.exit_code, line=" ".join(told(error).split()))
    except Exception as error:  # one clip's bug is not the next one's
        outcome = Outcome(code=BUG, line=f"a bug of ours: {type(error).__name__}: {' '.join(told(error).split())}")
    outcome = replace(outcome, seconds=round(time.monotonic() - began, 3))
    _report_failure(job, outcome, report)
    return outcome


def finished(output: Path, frames: int, seconds: float, notes: tuple[str, ...] = ()) -> Outcome:
    """Return the outcome of a swap whose result is there."""
    stamp, digest = stamp_of(output), digest_of(output)
    return Outcome(output=stamp, sha256=digest, seconds=round(seconds, 3), frames=frames, notes=notes)


def taken_over(job: Job, report: Path) -> Outcome | None:
    """Return the outcome of a swap whose process died before it could tell; None where the swap was not done yet."""
    written = _read(report)
    if "frames" not in written or stamp_of(job.target).size < 0:
        return None
    return finished(job.target, written["frames"], written["seconds"], tuple(written["notes"]))


def _report_failure(job: Job, outcome: Outcome, report: Path) -> None:
    record = {
        "schema_version": 1,
        "faceswap_version": __version__,
        "sources": [str(path) for path in job.sources],
        "input": str(job.input),
        "output": str(job.output),
        "error": {"code": outcome.code, "line": outcome.line},
        "seconds": outcome.seconds,
    }
    with suppress(OSError):  # the manifest says it, too
        write_atomically(report, json.dumps(record, indent=1).encode())


def _read(report: Path) -> dict[str, Any]:
    try:
        written = json.loads(report.read_bytes())
    except (OSError, ValueError):
        return {}
    return written if isinstance(written, dict) else {}
