"""`faceswap swap-video`."""

from typing import Annotated

import typer

from ..errors import CtrlCError, told
from ..options import Options
from .arguments import CLIP_FLAGS, DryRun, takes
from .swap_request import SwapRequest
from .swapping import show_plan, show_result, show_tracks, telling_of_earlier_work


@takes(Options, CLIP_FLAGS)
def swap_video(
    *,
    asked: SwapRequest,
    options: Options,
    preview: Annotated[
        int | None,
        typer.Option(
            "--preview", metavar="N", help="First write a sheet of N frames beside the output, originals above swaps."
        ),
    ] = None,
    only_plan: Annotated[
        bool, typer.Option("--only-plan", help="Write --plan, to be looked at and edited, and swap nobody yet.")
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """Put a face into a clip.

    Timing, sound, tracks and everything outside the face stay as they are. Interrupted, the same command goes on where
    it stopped. The result goes beside the input as <input>_swapped unless --output says otherwise; its path is printed.
    A clip is gone through once, looking 6 frames ahead to tell whom to swap; where --who or --map names somebody,
    --plan, --workers, --parts and --ray go through it twice, so that whoever is recognised late is swapped from the
    first frame on.

    \b
    Example:
      faceswap swap-video --source me.jpg --input clip.mp4 --start 0:10 --end 0:25
    """
    from .. import find_tracks, plan_video, preview_video
    from .. import swap_video as swap

    terminal, given = asked.terminal, (asked.sources, asked.input, asked.output, options)
    if preview is not None:
        terminal.note(f"preview {preview_video(*given, preview)}")
    if dry_run:
        return show_plan(terminal, plan_video(*given), asked.as_json)
    if only_plan:
        with terminal.progress("frames located") as progress:
            tracks = find_tracks(asked.sources, asked.input, options, progress)
        return show_tracks(terminal, tracks, asked.as_json)
    try:
        with terminal.progress("frames") as progress:
            result = swap(*given, telling_of_earlier_work(terminal, progress))
    except KeyboardInterrupt as interrupt:
        raise CtrlCError("interrupted" + told(interrupt)) from None
    show_result(terminal, result, asked.as_json, asked.strict)
