"""Say what a swap did: the report that `--json` prints and `--report` writes.

Everything in it was counted or measured in this run; what was not measured is left out or null.
"""

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .._version import __version__
from ..errors import OutputError
from ..media.disclosure import SILENT_SUFFIXES
from ..options import Options
from ..pipeline import Swapper
from ..stages.tally import Tally
from ..store.models import sha256_of

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Run:
    """What one swap was given, and when."""

    cast: dict[str | None, list[Path]]  # photos of each source by whom it is put in for; None: as the options say
    input: Path
    options: Options
    began: float  # by the monotonic clock

    @property
    def sources(self) -> list[Path]:
        """All photos."""
        return [path for photos in self.cast.values() for path in photos]

    @property
    def map(self) -> dict[str, list[str]] | None:
        """Whom each source is put in for, as text; None where the options say it."""
        named = {who: [str(path) for path in photos] for who, photos in self.cast.items() if who is not None}
        return named or None

    def paths(self, output: Path) -> dict[str, Any]:
        """Return what is read and what is written, as JSON has it."""
        sources = [str(path) for path in self.sources]
        return {"sources": sources, "map": self.map, "input": str(self.input), "output": str(output)}


def describe(run: Run, output: Path, done: dict[str, Any], swapper: Swapper, notes: list[str]) -> dict[str, Any]:
    """Return the whole report; `done` are the counts of frames and faces, and what is known of the file."""
    return {
        "schema_version": SCHEMA_VERSION,
        "faceswap_version": __version__,
        **run.paths(output),
        **done,
        "disclosure": run.options.disclosure and output.suffix.lower() not in SILENT_SUFFIXES,
        "signed": run.options.sign,
        **swapper.equipment.networks,
        "network_files": network_files(swapper),
        "source_quality": swapper.equipment.source_quality,
        "corrections": list(swapper.equipment.corrections),
        "likeness": swapper.equipment.likeness.report(),
        "seconds": round(time.monotonic() - run.began, 3),
        "stage_milliseconds": {name: round(1000 * spent, 1) for name, spent in swapper.stopwatch.seconds.items()},
        "options": _chosen(run.options),
        "notes": notes,
    }


def _chosen(options: Options) -> dict[str, str]:
    """Return what was chosen as text, without what was left open."""
    values = {name: value for name, value in asdict(options).items() if value not in (None, ())}
    return {name: ", ".join(value) if isinstance(value, tuple) else str(value) for name, value in values.items()}


def skipped(tally: Tally, found: int, swapped: int) -> dict[str, int]:
    """Count the faces left as they are, by reason. The first two kinds are not among those found."""
    return {
        "smaller_than_min_face": tally.faces_too_small,
        "below_det_threshold": tally.faces_unsure,  # some of them faces, some not
        "not_chosen": tally.faces_left,  # by Options.faces
        "turned_away": tally.faces_turned,  # by more than Options.max_turn; what an earlier run met is not known
        "no_face": tally.no_faces,  # neither eyes, brows nor a mouth; the same
        # the mask is empty or lies outside the picture
        "nothing_to_paste": found - swapped - tally.faces_left - tally.faces_turned - tally.no_faces,
    }


def network_files(swapper: Swapper) -> dict[str, dict[str, str]]:
    """Name the file and SHA-256 of every network that was used, by what it did."""
    bundle = swapper.equipment.bundle
    files = {"detector": swapper.equipment.detector.file} | {name: part.path for name, part in bundle.parts.items()}
    return {name: {"file": path.name, "sha256": sha256_of(path)} for name, path in files.items()}


def refuse_report(run: Run, output: Path) -> None:
    """Raise OutputError, before anything is swapped, where a report has no place or would replace something else."""
    path = run.options.report
    if path is None:
        return
    if path.resolve() in {each.resolve() for each in (output, run.input, *run.sources)}:
        raise OutputError(f"report {path} is the input, a source or the output itself: give another name")
    if path.is_dir() or not path.parent.is_dir():
        raise OutputError(f"report {path} cannot be written: give the name of a file in a folder that exists")
    if path.is_file() and not run.options.force and not _may_be_report(path):
        raise OutputError(f"{path} exists and is no report: use --force to replace it, or another name")


def _may_be_report(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(1) in (b"", b"{")


def write_report(path: Path, report: dict[str, Any]) -> None:
    """Write the report as JSON; raise OutputError where it cannot be."""
    try:
        path.write_text(json.dumps(report, indent=1), encoding="utf-8")
    except OSError as error:
        raise OutputError(f"report {path} cannot be written: {error.strerror}; the result itself is done") from error
