"""`faceswap swap-image`."""

from ..options import Options
from .arguments import (
    SWAP_FLAGS,
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
from .swapping import show_plan, show_result
from .terminal import Terminal


@takes(Options, SWAP_FLAGS)
def swap_image(
    *,
    source: Sources = None,
    map: Map = None,
    input: Input,
    output: Output = None,
    options: Options,
    strict: Strict = False,
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

    terminal, sources = Terminal(verbose, quiet), read_sources(source, map)
    if dry_run:
        return show_plan(terminal, plan_image(sources, input, output, options), as_json)
    show_result(terminal, swap(sources, input, output, options), as_json, strict)
