"""`faceswap export`."""

from pathlib import Path
from typing import Annotated

import typer

from ..extras import load
from .arguments import AsJson, Quiet, Verbose
from .terminal import Terminal


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a training run.", show_default=False)],
    output: Annotated[
        Path | None, typer.Option(metavar="PATH", help="ONNX file to write; beside the checkpoint without it.")
    ] = None,
    as_json: AsJson = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Write the ONNX file the swapper uses.

    `faceswap models import FILE` then makes it a model of its own name. Needs the [train] extra.

    \b
    Example:
      faceswap export runs/mine --output mine.onnx
    """
    written = load("faceswap_cli.training.export").export(run, output)
    Terminal(verbose, quiet).result(written, {"output": written}, as_json)
