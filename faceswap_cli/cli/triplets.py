"""`faceswap triplets`."""

from pathlib import Path

from ..extras import load
from ..training.core.options import TripletOptions
from .arguments import AsJson, Flag, Quiet, Verbose, takes
from .terminal import Terminal

FLAGS = {
    "data": Flag("Folder that `faceswap prepare` made; several may be given.", list[Path], tuple),
    "output": Flag("Folder for the triplets.", Path),
    "count": Flag("Rows in all, those that are there already among them.", int),
    "pairs": Flag("Every so many rows is a pair of different people, whose answer nobody knows.", int),
    "size": Flag("Side of the pictures in pixels.", int),
    "model": Flag("Model that swaps: a name from `faceswap models list`, or an ONNX file."),
    "workers": Flag("Processes.", int),
    "seed": Flag("Seed of everything random.", int),
}


@takes(TripletOptions, FLAGS)
def triplets(
    *,
    options: TripletOptions,
    as_json: AsJson = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Make pairs that know their answer, for a painter (`faceswap train` makes them by itself).

    A swap made backwards: a photo, somebody else's face in it, and its own person laid over that from another photo.
    Interrupted, it goes on.

    \b
    Example:
      faceswap triplets --data packs/vggface2 --output triplets/ --count 20000 --workers 8
    """
    make = load("faceswap_cli.training.data.triplets").make_triplets
    terminal = Terminal(verbose, quiet)
    with terminal.progress("rows") as progress:
        outcomes = make(options, progress)
    for reason, count in outcomes.items():
        terminal.note(f"{count:6d} {reason}")
    terminal.result(options.output, {"output": options.output, "outcomes": outcomes}, as_json)
