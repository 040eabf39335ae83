"""`faceswap swap-video`."""

from pathlib import Path
from typing import Annotated

import typer

from ..errors import CtrlCError, told
from ..options import Options
from .arguments import CLIP_FLAGS, AsJson, DryRun, Quiet, Sources, Verbose, takes
from .swapping import show_plan, show_result, telling_of_earlier_work
from .terminal import Terminal


@takes(Options, CLIP_FLAGS)
def swap_video(
    *,
    source: Sources,
    input: Annotated[Path, typer.Option("--input", metavar="PATH", help="Clip to put the face into.")],
    output: Annotated[
        Path | None, typer.Option("--output", metavar="PATH", help="Result, or an existing folder for it.")
    ] = None,
    options: Options,
    preview: Annotated[
        int | None,
        typer.Option(
            "--preview", metavar="N", help="First write a sheet of N frames beside the output, originals above swaps."
        ),
    ] = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Put a face into a clip.

    Timing, sound, tracks and everything outside the face stay as they are. Interrupted, the same command goes on where
    it stopped. The result goes beside the input as <input>_swapped unless --output says otherwise; its path is printed.

    \b
    Example:
      faceswap swap-video --source me.jpg --input clip.mp4 --start 0:10 --end 0:25
    """
    from .. import plan_video, preview_video
    from .. import swap_video as swap

    terminal = Terminal(verbose, quiet)
    if preview is not None:
        terminal.note(f"preview {preview_video(source, input, output, options, preview)}")
    if dry_run:
        return show_plan(terminal, plan_video(source, input, output, options), as_json)
    try:
        with terminal.progress("frames") as progress:
            result = swap(source, input, output, options, telling_of_earlier_work(terminal, progress))
    except KeyboardInterrupt as interrupt:
        raise CtrlCError("interrupted" + told(interrupt)) from None
    show_result(terminal, result, as_json)
