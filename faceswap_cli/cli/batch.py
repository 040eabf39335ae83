"""`faceswap batch`."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import CtrlCError, UsageError, told
from ..options import Options
from .arguments import CLIP_FLAGS, OF_ONE_CLIP, AsJson, Quiet, Verbose, takes
from .ending import ended_in_order
from .terminal import Terminal

if TYPE_CHECKING:
    from ..batch.jobs import Job

STATUS = "status"
FLAGS = {name: flag for name, flag in CLIP_FLAGS.items() if name not in {"report", *OF_ONE_CLIP}}
MANIFEST = "faceswap-batch.jsonl"


@takes(Options, FLAGS)
def batch(
    *,
    inputs: Annotated[
        list[str] | None,
        typer.Argument(metavar="INPUT", help="Photos, clips, globs, folders with all in them.", show_default=False),
    ] = None,
    source: Annotated[
        list[Path] | None,
        typer.Option(
            "--source", "-s", metavar="PATH", help="Photo of the person to put in; several average into one identity."
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="TEMPLATE",
            help="Names of the results, with {stem}, {ext}, {name}, {folder}, {number}, {source}; or a folder.",
        ),
    ] = None,
    jobs: Annotated[
        Path | None,
        typer.Option(
            "--jobs", metavar="FILE", help="A row a job (CSV, JSONL, TOML): source, input, output, any option."
        ),
    ] = None,
    manifest: Annotated[
        Path | None,
        typer.Option("--manifest", metavar="FILE", help=f"States of the jobs; {MANIFEST} where results go without it."),
    ] = None,
    retry: Annotated[
        str | None, typer.Option("--retry", metavar="failed", help="Do jobs again that an earlier run failed at.")
    ] = None,
    halt_on_error: Annotated[bool, typer.Option("--halt-on-error", help="Begin no job after one that failed.")] = False,
    shard: Annotated[
        str | None,
        typer.Option("--shard", metavar="N/OF", help="Do one part of the jobs: 3/16, or auto/16 under a scheduler."),
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option("--ray", metavar="WHERE", help="Do them on Ray ([ray] extra): local, auto, ray://host:10001."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", metavar="N", help="Processes on Ray; as many as fit without it.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option("--report", metavar="PATH", help="Where the JSON report of the whole goes.")
    ] = None,
    options: Options,
    as_json: AsJson = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Put a face into many photos and clips, and go on where an earlier run stopped.

    A job that fails does not stop the others; the exit code is that of the worst. States lie in the manifest, a JSON
    report for each job and one for the whole beside it; each finished result's path is printed. `faceswap batch status
    MANIFEST` tells how far a batch is.

    \b
    Example:
      faceswap batch -s me.jpg clips/ --output 'out/{stem}_swapped.{ext}'
    """
    from ..batch.choices import BatchOptions, Shard
    from ..batch.runner import swap_many
    from .batch_shown import showing, status, summary

    terminal = Terminal(verbose, quiet)
    if inputs and inputs[0] == STATUS and len(inputs) == 2:
        return status(terminal, Path(inputs[1]), as_json)
    if retry not in (None, "failed"):
        raise UsageError(f"retry is {retry!r}: give failed")
    part = Shard.read(shard) if shard else None
    planned, folder = _planned(terminal, inputs, jobs, _Given(tuple(source or ()), output, options))
    choices = BatchOptions(
        manifest=manifest or folder / MANIFEST,
        retry_failed=retry is not None,
        halt_on_error=halt_on_error,
        shard=part,
        report=report,
        ray=ray,
        workers=workers,
    )
    try:
        with ended_in_order(), showing(terminal, as_json) as progress:
            result = swap_many(planned, choices, progress)
    except KeyboardInterrupt as interrupt:
        raise CtrlCError("interrupted: the same command goes on from there" + told(interrupt)) from None
    summary(terminal, result, as_json)
    raise typer.Exit(result.code)


@dataclass(frozen=True, slots=True)
class _Given:
    """What the command line says for every job; a row of a jobs file may say otherwise."""

    sources: tuple[Path, ...]
    output: str | None
    options: Options


def _planned(
    terminal: Terminal, inputs: list[str] | None, jobs_file: Path | None, given: _Given
) -> "tuple[list[Job], Path]":
    """Return the jobs, and the folder where their manifest goes if none is named."""
    if bool(inputs) == (jobs_file is not None):
        raise UsageError("give photos, clips or folders, or --jobs FILE: one of the two")
    if jobs_file is not None:
        return _from_file(jobs_file, given)
    return _from_words(terminal, inputs or [], given)


def _from_file(path: Path, given: _Given) -> "tuple[list[Job], Path]":
    from ..batch.jobs import Job, Template
    from .jobs_file import read_jobs_file

    planned = []
    for number, row in enumerate(read_jobs_file(path, FLAGS), 1):
        sources, output = row.sources or given.sources, row.output or given.output
        if not sources:
            raise UsageError(f"{row.where}: no source; name a photo of the person in it, or give --source")
        try:
            job = Job(sources, row.input, output, replace(given.options, **row.options))
        except UsageError as error:
            raise UsageError(f"{row.where}: {error}") from error
        if output is not None and (row.output is None or "{" in output):
            job = replace(job, output=Template(output).path(job, number, Path()))
        planned.append(job)
    return planned, Template(given.output).root if given.output else path.parent


def _from_words(terminal: Terminal, words: list[str], given: _Given) -> "tuple[list[Job], Path]":
    from ..batch.inputs import find_inputs
    from ..batch.jobs import Job, Template, without_own

    if not given.sources:
        raise UsageError("no source: give --source PHOTO of the person to put in")
    template = Template(given.output) if given.output is not None else None
    found, notes = find_inputs(words, [template.root] if template else [])
    for note in notes:
        terminal.note(note)
    jobs = []
    for number, each in enumerate(found, 1):
        job = Job(given.sources, each.path, None, given.options)
        jobs.append(job if template is None else replace(job, output=template.path(job, number, each.folder)))
    return without_own(jobs, [each.named for each in found]), template.root if template else Path()
