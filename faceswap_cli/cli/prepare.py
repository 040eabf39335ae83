"""`faceswap prepare`."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from ..training.core.options import PrepareOptions
from .arguments import AsJson, Flag, Quiet, Verbose, read_face_pack, takes
from .terminal import Terminal

FLAGS = {
    "size": Flag("Side of a crop in pixels.", int),
    "min_face": Flag("Shorter side of a face in pixels below which a picture is dropped.", int),
    "min_sharpness": Flag("Sharpness below which a crop is dropped (spread of its Laplacian).", float),
    "face_pack": Flag("Folder of ONNX files for insightface instead of ours.", Path, read_face_pack),
    "most": Flag("Pictures to take where there are more: some of each person; without it all.", int),
    "det_threshold": Flag("Confidence below which a face is ignored, 0..1.", float),
    "threads": Flag("CPU cores, each with a process of its own; all of them without it.", int),
}


@takes(PrepareOptions, FLAGS)
def prepare(
    *,
    input: Annotated[Path, typer.Option("--input", metavar="PATH", help="Folder of pictures, one folder per person.")],
    output: Annotated[Path, typer.Option("--output", metavar="PATH", help="Folder for the aligned faces.")],
    options: PrepareOptions,
    as_json: AsJson = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Turn a folder of pictures into aligned faces for training.

    Each picture gives its largest face, or is dropped and counted with the reason. Interrupted, it goes on.

    \b
    Example:
      faceswap prepare --input vggface2/ --output aligned/
    """
    from ..training.data.prepare import prepare as prepare_folder

    terminal = Terminal(verbose, quiet)
    with terminal.progress("pictures") as progress:
        report = prepare_folder(input, output, options, progress)
    for reason, count in report.outcomes.items():
        terminal.note(f"{count:6d} {reason}")
    terminal.result(output, {"output": output, **asdict(report)}, as_json)
