"""What the swapping commands show when they are done."""

from typing import TYPE_CHECKING

from .terminal import Terminal

if TYPE_CHECKING:
    from ..api import Result


def show_result(terminal: Terminal, result: "Result", as_json: bool) -> None:
    """Print the output's path (or the report as JSON), and to stderr what the user should know about it."""
    pace = f"{result.frames / max(result.seconds, 1e-3):.1f} frames/s"
    terminal.note(f"{result.frames} frames, {result.faces_swapped} faces swapped, {result.seconds:.1f} s, {pace}")
    if terminal.verbose:
        terminal.note(", ".join(f"{key} {result.report[key]}" for key in ("generator", "engine", "device")))
    for note in result.notes:
        terminal.note(note)
    terminal.result(result.output, result.report, as_json)
