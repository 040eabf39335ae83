"""`faceswap evaluate`."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import OutputError, UsageError
from ..evaluation.options import MEASURES, RAW, EvaluateOptions, JudgeFiles
from ..options import Options
from .arguments import CLIP_FLAGS, AsJson, Quiet, Verbose, takes
from .terminal import Terminal

if TYPE_CHECKING:
    from ..evaluation.score import Pair

NAMES = (
    *("model", "face_pack", "device", "det_threshold", "min_face", "threads", "max_turn", "shape", "without"),
    *("start", "end", "offline", "force"),
)
FLAGS = {name: CLIP_FLAGS[name] for name in NAMES}

File = Path | None


def explains_measures(command: Callable[..., None]) -> Callable[..., None]:
    """Write what each measure means under a command's help."""
    lines = [f"  {name:22s}{_unit(measure.unit)}{measure.meaning}" for name, measure in MEASURES.items()]
    command.__doc__ = "\n".join([inspect.cleandoc(command.__doc__ or ""), "", "\b", "Measures:", *lines])
    return command


def _unit(unit: str) -> str:
    return f"[{unit}] " if unit else ""


@takes(Options, FLAGS)
@explains_measures
def evaluate(
    *,
    source: Annotated[File, typer.Option("--source", metavar="PATH", help="Photo of the person put in.")] = None,
    target: Annotated[File, typer.Option("--target", metavar="PATH", help="The unswapped photo or clip.")] = None,
    result: Annotated[File, typer.Option("--result", metavar="PATH", help="The swap of it.")] = None,
    pairs: Annotated[
        File, typer.Option("--pairs", metavar="CSV", help="Table of source, target, result and, if wanted, self.")
    ] = None,
    sources: Annotated[File, typer.Option("--sources", metavar="DIR", help="Photos to make swaps of.")] = None,
    targets: Annotated[File, typer.Option("--targets", metavar="DIR", help="Photos and clips to swap into.")] = None,
    count: Annotated[int | None, typer.Option("--count", metavar="N", help="So many drawn pairs, not all.")] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Seed of the draw.")] = 0,
    self_swaps: Annotated[bool, typer.Option("--self-swaps", help="Swap each target with its own person too.")] = False,
    output: Annotated[Path, typer.Option("--output", metavar="DIR", help="Where swaps that are made go.")] = Path(
        "faceswap-evaluation"
    ),
    reuse: Annotated[bool, typer.Option("--reuse", help="Judge swaps that are in --output, make the others.")] = False,
    gallery: Annotated[File, typer.Option("--gallery", metavar="DIR", help="More faces for retrieval.")] = None,
    every: Annotated[int, typer.Option("--every", metavar="N", help="Judge every so many frames of a clip.")] = 1,
    judge: Annotated[File, typer.Option("--judge", metavar="FILE", help="Face recogniser in ONNX, 112 px.")] = None,
    judge_range: Annotated[
        str, typer.Option("--judge-range", metavar="TEXT", help="Pixels it takes: 0..255, 0..1, -1..1, imagenet.")
    ] = RAW,
    same_person: Annotated[
        float | None, typer.Option("--same-person", metavar="X", help="Mean cosine it gives two photos of one person.")
    ] = None,
    pose_judge: Annotated[
        list[Path] | None, typer.Option("--pose-judge", metavar="FILE", help="FSA-Net in ONNX; several are averaged.")
    ] = None,
    mesh_judge: Annotated[File, typer.Option("--mesh-judge", metavar="FILE", help="FaceMesh in ONNX.")] = None,
    gaze_judge: Annotated[
        File, typer.Option("--gaze-judge", metavar="FILE", help="OpenSeeFace's gaze network in ONNX.")
    ] = None,
    csv: Annotated[File, typer.Option("--csv", metavar="PATH", help="Write the figures of each swap as CSV.")] = None,
    sheet: Annotated[File, typer.Option("--sheet", metavar="PATH", help="Write a sheet of the faces (PNG).")] = None,
    options: Options,
    as_json: AsJson = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Measure how good swaps are, with the measures of the field.

    Give one swap (--source, --target, --result), a table of swaps (--pairs), or two folders (--sources, --targets)
    to make and measure swaps of. The largest face of each frame is judged. Judges are networks no training uses;
    where their options are left out they are looked for below the folder FACESWAP_DATA names, dlib's where the
    [judges] extra is installed. A measure without its judge is left out and said.

    \b
    Example:
      faceswap evaluate --source me.jpg --target clip.mp4 --result clip_swapped.mp4
    """
    from ..evaluation.report import as_record, as_table, write_csv, write_sheet
    from ..evaluation.score import Pair
    from ..evaluation.score import evaluate as judge_pairs

    terminal = Terminal(verbose, quiet)
    _refuse_existing([path for path in (csv, sheet) if path], options.force)
    judges = JudgeFiles(
        judge, judge_range, same_person, tuple(pose_judge or ()), mesh_judge, gaze_judge, options.threads
    )
    settings = EvaluateOptions(judges=judges, swap=options, every=every, gallery=gallery)
    one_swap, folders = (source, target, result), (sources, targets)
    if source and target and result and not any((pairs, *folders)):
        wanted = [Pair(source, target, result)]
    elif pairs and not any((*one_swap, *folders)):
        wanted = _listed(pairs)
    elif all(folders) and not any((pairs, *one_swap)):
        wanted = _made(terminal, (sources, targets, count, seed), (self_swaps, reuse), output, options)
    else:
        raise UsageError("give --source, --target and --result; or --pairs; or --sources and --targets")
    with terminal.progress("swaps") as progress:
        evaluation = judge_pairs(wanted, settings, progress)
    for note in evaluation.notes:
        terminal.note(note)
    if csv is not None:
        write_csv(evaluation, csv)
    if sheet is not None:
        write_sheet(evaluation, sheet)
    record = as_record(evaluation) | {"without": list(options.without)}
    terminal.result(as_table(evaluation), record, as_json)


def _listed(table: Any) -> "list[Pair]":
    from ..evaluation.pairs import read_pairs

    return read_pairs(table)


def _made(
    terminal: Terminal, drawn: tuple[Any, ...], how: tuple[bool, bool], output: Path, options: Options
) -> "list[Pair]":
    from ..evaluation.pairs import draw_pairs, make_self_swaps, make_swaps

    chosen, (self_swaps, reuse) = draw_pairs(*drawn), how
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{output} cannot be made: {error.strerror}; choose another --output") from error
    with terminal.progress("swaps made") as progress:
        made = make_swaps(chosen, output, options, reuse, progress)
    if self_swaps:
        targets = list(dict.fromkeys(target for _, target in chosen))
        made += make_self_swaps(targets, output, options, reuse)
    return made


def _refuse_existing(paths: list[Path], force: bool) -> None:
    for path in paths:
        if path.exists() and not force:
            raise OutputError(f"{path} exists: give --force to overwrite it, or another name")
        if not path.parent.is_dir():
            raise OutputError(f"{path.parent} is not a folder: make it first or choose another place for {path.name}")
