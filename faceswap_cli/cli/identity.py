"""`faceswap identity save`."""

from pathlib import Path
from typing import Annotated

import typer

from ..options import Options
from .arguments import SWAP_FLAGS, Quiet, Verbose, takes
from .terminal import Terminal

NAMES = ("model", "face_pack", "device", "threads", "det_threshold", "min_face", "force_average", "force")

app = typer.Typer(help="Make a source once, for any number of swaps.", rich_markup_mode=None)


@app.callback()
def identity() -> None:
    """Make a source once, for any number of swaps."""


@app.command("save")
@takes(Options, {name: SWAP_FLAGS[name] for name in NAMES})
def save(
    *,
    photos: Annotated[list[Path], typer.Argument(metavar="PHOTO", help="Photos of one person.", show_default=False)],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE.face", help="File to write.")],
    options: Options,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Keep who somebody is, and the best picture of their face, in a file that stands wherever a source photo may.

    It holds a portrait, an identity of the model's encoder and the SHA-256 of the photos; guard it like the photos.

    \b
    Example:
      faceswap identity save anna.jpg anna2.jpg --output anna.face
    """
    from ..app.identity import save_identity

    terminal = Terminal(verbose, quiet)
    for note in save_identity(photos, output, options):
        terminal.note(note)
    terminal.result(output, {}, as_json=False)
