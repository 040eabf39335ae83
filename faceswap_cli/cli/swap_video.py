"""`faceswap swap-video`."""

from typing import Annotated

import typer

from ..errors import CtrlCError, told
from ..options import Options
from .arguments import (
    CLIP_FLAGS,
    AsJson,
    DryRun,
    Input,
    Map,
    Output,
    Quiet,
    Sources,
    Strict,
    Verbose,
    read_sources,
    takes,
)
from .swapping import show_plan, show_result, telling_of_earlier_work
from .terminal import Terminal


@takes(Options, CLIP_FLAGS)
def swap_video(
    *,
    source: Sources = None,
    map: Map = None,
    input: Input,
    output: Output = None,
    options: Options,
    strict: Strict = False,
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

    terminal, sources = Terminal(verbose, quiet), read_sources(source, map)
    if preview is not None:
        terminal.note(f"preview {preview_video(sources, input, output, options, preview)}")
    if dry_run:
        return show_plan(terminal, plan_video(sources, input, output, options), as_json)
    try:
        with terminal.progress("frames") as progress:
            result = swap(sources, input, output, options, telling_of_earlier_work(terminal, progress))
    except KeyboardInterrupt as interrupt:
        raise CtrlCError("interrupted" + told(interrupt)) from None
    show_result(terminal, result, as_json, strict)
