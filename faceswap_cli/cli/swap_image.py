"""`faceswap swap-image`."""

from ..options import Options
from .arguments import SWAP_FLAGS, DryRun, takes
from .swap_request import SwapRequest
from .swapping import show_plan, show_result


@takes(Options, SWAP_FLAGS)
def swap_image(*, asked: SwapRequest, options: Options, dry_run: DryRun = False) -> None:
    """Put a face into a photo.

    The result goes beside the input as <input>_swapped unless --output says otherwise; its path is printed.

    \b
    Example:
      faceswap swap-image --source me.jpg --input party.jpg --faces all
    """
    from .. import plan_image
    from .. import swap_image as swap

    given = asked.sources, asked.input, asked.output, options
    if dry_run:
        return show_plan(asked.terminal, plan_image(*given), asked.as_json)
    show_result(asked.terminal, swap(*given), asked.as_json, asked.strict)
