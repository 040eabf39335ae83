"""What is to be swapped: jobs, the names of their outputs, and what is refused before any work.

A template such as `out/{folder}/{stem}_swapped.{ext}` names an output. What comes before its first field is the output
folder; whatever an input is called, its output stays inside.
"""

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..errors import MediaError, OutputError, UsageError
from ..media.photo_formats import PHOTO_FORMATS
from ..media.plan import CONTAINERS
from ..media.sniff import kind_of
from ..options import Options

FIELDS = ("stem", "ext", "name", "folder", "number", "source")
_FIELD = re.compile(r"\{([^{}]*)\}")
_UNFIT = re.compile(r"[/\\\x00-\x1f\x7f]")  # in one part of a path


@dataclass(frozen=True, slots=True)
class Job:
    """One photo or clip to swap."""

    source: str | Path | Sequence[str | Path]  # photo of the person, or several that average into one identity
    input: str | Path
    output: str | Path | None = None  # None means `<input>_swapped.<ext>` beside the input
    options: Options = field(default_factory=Options)

    @property
    def sources(self) -> tuple[Path, ...]:
        """The source's photos."""
        several = [self.source] if isinstance(self.source, str | Path) else self.source
        return tuple(Path(each) for each in several)

    @property
    def target(self) -> Path:
        """Where the result goes, once that is settled."""
        assert self.output is not None, "jobs are settled before they are run"
        return Path(self.output)


@dataclass(frozen=True, slots=True)
class Template:
    """How outputs are named."""

    text: str

    def __post_init__(self) -> None:
        unknown = [name for name in _FIELD.findall(self.text) if name not in FIELDS]
        if unknown or re.search(r"[{}]", _FIELD.sub("", self.text)):
            named = f"{{{unknown[0]}}}" if unknown else "a bracket of no field"
            known = ", ".join(f"{{{name}}}" for name in FIELDS)
            raise UsageError(f"output {self.text!r} has {named}: the fields are {known}")
        if not {"stem", "name", "number"} & set(_FIELD.findall(self.text)) and not self._is_folder:
            raise UsageError(f"output {self.text!r} gives every job one name: put {{stem}} or {{number}} into it")

    @property
    def _is_folder(self) -> bool:
        names_none = not _FIELD.search(self.text) and not os.path.splitext(self.text)[1]
        return self.text.endswith(("/", os.sep)) or os.path.isdir(self.text) or names_none

    @property
    def root(self) -> Path:
        """The folder that no output leaves."""
        return Path(self.text) if self._is_folder else Path(os.path.dirname(self.text.partition("{")[0]) or ".")

    def path(self, job: Job, number: int, folder: Path) -> Path:
        """Name the output of a job, the `number`-th, whose input was found in `folder` of a folder that was given.

        Raises UsageError where it would lie outside the output folder, by a link inside it, say.
        """
        text = os.path.join(self.text, "{folder}", "{stem}_swapped.{ext}") if self._is_folder else self.text
        values = _values(job, number, folder) if _FIELD.search(text) else {}
        path = Path(os.path.normpath(_FIELD.sub(lambda found: values[found[1]], text)))
        if not _lies_in(path, self.root):
            raise UsageError(f"{job.input}: its output {path} would lie outside {self.root}: name it in a jobs file")
        return path


def _values(job: Job, number: int, folder: Path) -> dict[str, str]:
    """Return what each field stands for, fit for a path."""
    path = Path(job.input)
    return {
        "stem": _fit(path.stem),
        "ext": _ending(path).removeprefix("."),
        "name": _fit(path.name),
        "folder": os.path.join(*map(_fit, folder.parts)) if folder.parts else ".",
        "number": str(number),
        "source": _fit(job.sources[0].stem),
    }


def _fit(name: str) -> str:
    """Return a name that is one part of a path and no way out of a folder."""
    name = _UNFIT.sub("_", name)
    return "_" if name in ("", ".", "..") else name


def _lies_in(path: Path, root: Path) -> bool:
    inside = os.path.realpath(root)
    return os.path.commonpath([os.path.realpath(path), inside]) == inside


def _ending(path: Path) -> str:
    """Return the ending of an output: the input's own where such files are written, else the default of its kind."""
    try:
        written = PHOTO_FORMATS if kind_of(path) == "photo" else CONTAINERS
    except (MediaError, ValueError):  # the job says so when its turn comes; the latter for a NUL in a path
        return path.suffix or ".mp4"
    return path.suffix if path.suffix.lower() in written else next(iter(written))


def settled(jobs: Iterable[Job]) -> list[Job]:
    """Return the jobs with every path absolute and every output named.

    Raises UsageError for two jobs with one output, and for an output that is what another job reads.
    """
    done = [_settled(job) for job in jobs]
    if not done:
        raise UsageError("there is nothing to do: give at least one job")
    _refuse_shared_outputs(done)
    return done


def without_own(jobs: Sequence[Job], named: Sequence[bool]) -> list[Job]:
    """Leave out of what was found in folders, not `named`, the photos of sources and results of earlier runs."""
    done = [_settled(job) for job in jobs]
    own = {_place(job.target) for job in done} | {_place(photo) for job in done for photo in job.sources}
    return [job for job, by_itself in zip(done, named, strict=True) if by_itself or _place(Path(job.input)) not in own]


def _settled(job: Job) -> Job:
    path = Path(os.path.abspath(job.input))
    output = job.output
    if output is None or os.path.isdir(output):
        folder = path.parent if output is None else Path(output)
        output = folder / f"{path.stem}_swapped{_ending(path)}"
    sources = tuple(Path(os.path.abspath(each)) for each in job.sources)
    for each in (path, Path(output), *sources):
        if "\0" in str(each):
            raise UsageError(f"{str(each)!r} is no path: it holds a NUL")
    if not sources:
        raise UsageError(f"the job of {path.name} has no source: name a photo of the person to put in")
    return replace(job, source=sources, input=path, output=Path(os.path.abspath(output)))


def _refuse_shared_outputs(jobs: list[Job]) -> None:
    writers: dict[str, Job] = {}
    for job in jobs:
        other = writers.setdefault(_place(job.target), job)
        if other is not job:
            raise UsageError(
                f"two jobs would write {job.target}: those of {other.input} and {job.input}; "
                "put {folder} or {number} into --output, or give each its own"
            )
    for job in jobs:
        for read in (Path(job.input), *job.sources):
            if (writer := writers.get(_place(read))) is not None:
                raise UsageError(f"the job of {writer.input} would write {read}, which the job of {job.input} reads")


def _place(path: Path) -> str:
    """Name a file in one way, however it is reached; the file itself may not be there yet."""
    return os.path.normcase(os.path.join(os.path.realpath(path.parent), path.name))


def make_folders(jobs: Iterable[Job]) -> None:
    """Make the folders that outputs go to; raise OutputError where one cannot be."""
    for folder in sorted({job.target.parent for job in jobs}):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"folder {folder} cannot be made: {error.strerror}") from error
