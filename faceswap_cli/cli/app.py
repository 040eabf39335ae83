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
    "demo": ("demo", "demo"),
    "models": ("models", "app"),
    "doctor": ("doctor", "doctor"),
    "prepare": ("prepare", "prepare"),
    "train": ("train", "train"),
    "export": ("export", "export"),
}
INTERRUPTED = 130
COMPLETION = "_FACESWAP_COMPLETE"  # set by the shell when it asks which words may come next


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit code; errors meant for the user are raised."""
    asked = set(COMMANDS) if COMPLETION in os.environ else {next((word for word in arguments if word in COMMANDS), "")}
    app = _build(asked)
    try:
        code = app(arguments, standalone_mode=False, prog_name="faceswap")
    except typer.Abort:
        raise KeyboardInterrupt from None
    except typer.TyperException as error:
        raise UsageError(f"{error.format_message()} (see `{_help_command(arguments)}`)") from error
    if code == INTERRUPTED:  # typer turns Ctrl-C into a silent exit
        raise KeyboardInterrupt
    return code if isinstance(code, int) else 0


def _build(asked: set[str]) -> typer.Typer:
    app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, no_args_is_help=True)
    app.callback()(_faceswap)
    for name, (module, attribute) in COMMANDS.items():
        command = getattr(import_module(f".{module}", __package__), attribute)
        if name not in asked:
            app.command(name)(_listed(command))
        elif isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name)(command)
    return app


def _listed(command: Callable[..., object] | typer.Typer) -> Callable[[], None]:
    """Make the stand-in that only shows a command's name and first line."""

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

    Swap only faces of people who agreed to it. Every result is marked as edited with AI.

    \b
    Example:
      faceswap swap-video --source me.jpg --input clip.mp4
    """


def _help_command(arguments: list[str]) -> str:
    words = [word for word in arguments[:2] if not word.startswith("-")]
    known = words[:1] if words[:1] and words[0] in COMMANDS else []
    return " ".join(["faceswap", *known, "--help"])
