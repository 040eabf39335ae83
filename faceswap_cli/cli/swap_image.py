"""`faceswap swap-image`."""

from pathlib import Path
from typing import Annotated

import typer

from ..options import Options
from .arguments import SWAP_FLAGS, AsJson, DryRun, Quiet, Sources, Verbose, takes
from .swapping import show_plan, show_result
from .terminal import Terminal


@takes(Options, SWAP_FLAGS)
def swap_image(
    *,
    source: Sources,
    input: Annotated[Path, typer.Option("--input", metavar="PATH", help="Photo to put the face into.")],
    output: Annotated[
        Path | None, typer.Option("--output", metavar="PATH", help="Result, or an existing folder for it.")
    ] = None,
    options: Options,
    dry_run: DryRun = False,
    as_json: AsJson = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Put a face into a photo.

    The result goes beside the input as <input>_swapped unless --output says otherwise; its path is printed.

    \b
    Example:
      faceswap swap-image --source me.jpg --input party.jpg --faces all
    """
    from .. import plan_image
    from .. import swap_image as swap

    terminal = Terminal(verbose, quiet)
    if dry_run:
        return show_plan(terminal, plan_image(source, input, output, options), as_json)
    show_result(terminal, swap(source, input, output, options), as_json)
