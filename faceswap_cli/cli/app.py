"""Which command is which; only the one that was asked for is built.

Typer reads a command's options through pydantic, which costs more than all the rest of `faceswap --help`. So the other
commands stand in the list with their names and first lines alone.
"""

import os
from collections.abc import Callable
from importlib import import_module

import typer

from .._version import __version__
from ..errors import UsageError

# command -> (module beside this one, function in it), in the order of the help page
COMMANDS = {
    "swap-image": ("swap_image", "swap_image"),
    "swap-video": ("swap_video", "swap_video"),
    "batch": ("batch", "batch"),
    "demo": ("demo", "demo"),
    "models": ("models", "app"),
    "doctor": ("doctor", "doctor"),
    "prepare": ("prepare", "prepare"),
    "triplets": ("triplets", "triplets"),
    "train": ("train", "train"),
    "distill": ("distill", "distill"),
    "export": ("export", "export"),
    "evaluate": ("evaluate", "evaluate"),
    "faces": ("faces", "faces"),
    "identity": ("identity", "app"),
    "verify": ("verify", "verify"),
}
INTERRUPTED = 130
COMPLETION = "_FACESWAP_COMPLETE"  # set by the shell when it asks which words may come next


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit code; errors meant for the user are raised."""
    asked = next((word for word in arguments if word in COMMANDS), None)
    if arguments in ([], ["models"], ["identity"]) and COMPLETION not in os.environ:
        arguments = [*arguments, "--help"]
    app = _build([asked] if asked else list(COMMANDS), complete=asked is not None or COMPLETION in os.environ)
    try:
        code = app(arguments, standalone_mode=False, prog_name="faceswap")
    except typer.Abort:
        raise KeyboardInterrupt from None
    except typer.TyperException as error:
        command = f"faceswap {asked}" if asked else "faceswap"
        raise UsageError(f"{error.format_message()} (see `{command} --help`)") from error
    if code == INTERRUPTED:  # typer turns Ctrl-C into a silent exit
        raise KeyboardInterrupt
    return code if isinstance(code, int) else 0


def _build(names: list[str], complete: bool) -> typer.Typer:
    """Build the program with these commands, each complete with its options or only listed."""
    app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
    app.callback()(_faceswap)
    for name in names:
        module, attribute = COMMANDS[name]
        command = getattr(import_module(f".{module}", __package__), attribute)
        if not complete:
            app.command(name)(_listed(command))
        elif isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name)(command)
    return app


def _listed(command: Callable[..., object] | typer.Typer) -> Callable[[], None]:
    """Make a stand-in that only shows a command's name and first line."""

    def stand_in() -> None:
        raise AssertionError("a stand-in is never run")

    text = command.info.help if isinstance(command, typer.Typer) else command.__doc__
    stand_in.__doc__ = str(text).partition("\n")[0]
    return stand_in


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"faceswap {__version__}")
        raise typer.Exit


def _faceswap(
    version: bool = typer.Option(False, "--version", callback=_show_version, is_eager=True, help="Print the version."),
) -> None:
    """Put the face of one person into a photo or film of another.

    Swap only faces of people who agreed to it. Results are marked as edited with AI.

    \b
    Example:
      faceswap swap-video --source me.jpg --input clip.mp4
    """
