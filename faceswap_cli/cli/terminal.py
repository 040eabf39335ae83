"""Where words for people go: notes and progress to stderr, the one result to stdout.

On a terminal progress is a bar with the rate and the time left; into a pipe or file it is a plain line now and then.
"""

import codecs
import io
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

AS_STORED = "faceswap-as-stored"  # name of our way with letters that an encoding lacks
LINE_EVERY = 5.0  # seconds between plain lines

Progress = Callable[[int, int | None], None]  # done so far, in all (None or 0 when unknown)


def print_any_letter() -> None:
    """Let stdout take the names of files whatever its encoding: letters it lacks go out as the file system has them."""
    codecs.register_error(AS_STORED, _as_stored)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors=AS_STORED)


def _as_stored(error: UnicodeError) -> tuple[bytes, int]:
    assert isinstance(error, UnicodeEncodeError)
    return os.fsencode(error.object[error.start : error.end]), error.end


@dataclass(frozen=True, slots=True)
class Terminal:
    """How much to say."""

    verbose: bool = False
    quiet: bool = False

    def note(self, text: str) -> None:
        """Say something the user should know."""
        if not self.quiet:
            print(text, file=sys.stderr)

    def result(self, text: object, table: dict[str, Any] | list[Any], as_json: bool) -> None:
        """Print what a script would read: the text, or the table as JSON."""
        print(json.dumps(table, indent=1, default=str) if as_json else text, flush=True)

    @contextmanager
    def progress(self, unit: str) -> Iterator[Progress]:
        """Give a callback that shows how far the work is, counted in `unit`."""
        if self.quiet:
            yield lambda done, total: None
        elif sys.stderr.isatty():
            with _bar(unit) as show:
                yield show
        else:
            yield _plain_lines(unit)


@contextmanager
def _bar(unit: str) -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"), TimeRemainingColumn())
    with RichProgress(TextColumn(unit), *columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(unit, total=None, rate="")
        started = time.monotonic()

        def show(done: int, total: int | None) -> None:
            bars.update(task, completed=done, total=total or None, rate=_rate(done, started, unit))

        yield show


def _plain_lines(unit: str) -> Progress:
    started = time.monotonic()
    shown = started

    def show(done: int, total: int | None) -> None:
        nonlocal shown
        now = time.monotonic()
        if now - shown < LINE_EVERY:
            return
        shown = now
        print(
            f"{_count(done, total)} {unit}, {_rate(done, started, unit)}{_left(done, total, started)}", file=sys.stderr
        )

    return show


def _count(done: int, total: int | None) -> str:
    return f"{done}/{total}" if total else str(done)


def _rate(done: int, started: float, unit: str) -> str:
    return f"{done / max(time.monotonic() - started, 1e-3):.1f} {unit}/s"


def _left(done: int, total: int | None, started: float) -> str:
    if not total or not done:
        return ""
    seconds = round((time.monotonic() - started) * (total - done) / done)
    return f", {seconds // 60}:{seconds % 60:02d} left"
