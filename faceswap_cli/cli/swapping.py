"""What the swapping commands show when they are done."""

from typing import TYPE_CHECKING

from .terminal import Terminal

if TYPE_CHECKING:
    from ..api import Result


def show_result(terminal: Terminal, result: "Result", as_json: bool) -> None:
    """Print the output's path (or the report as JSON), and to stderr what the user should know about it."""
    if terminal.verbose:
        terminal.note(", ".join(f"{key} {result.report[key]}" for key in ("generator", "engine", "device")))
    for note in result.notes:
        terminal.note(note)
    terminal.note(summary(result))
    terminal.result(result.output, result.report, as_json)


def summary(result: "Result") -> str:
    """Say in one line what was done, how like the source the faces became, and how fast."""
    words = [f"{result.frames} frames, {result.faces_swapped} faces swapped"]
    likeness = result.report["likeness"]
    if likeness is not None:
        words.append(f"likeness to the source {likeness['before']:.2f} -> {likeness['after']:.2f}")
    new_frames = result.frames - result.report.get("resumed_frames", 0)
    pace = f"{new_frames / max(result.seconds, 1e-3):.1f} frames/s"
    return ", ".join([*words, f"{result.seconds:.1f} s", pace])
