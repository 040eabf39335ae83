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

from ..training.core.watch import Moment, Watch, unwatched

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
            yield plain_lines(unit)

    @contextmanager
    def training(self) -> Iterator[Watch]:
        """Give a callback that shows how a training goes: what it does before its first step, then step by step."""
        if self.quiet:
            yield unwatched
        elif sys.stderr.isatty():
            with _training_bar() as show:
                yield show
        else:
            yield _training_lines()


class _Pace:
    """How fast the work goes, by what was done since the first word of it.

    Before that word networks are opened, and what an earlier run had done is no work of this one.
    """

    def __init__(self) -> None:
        self._began: tuple[float, int] | None = None  # when, and how much was done by then

    def rate(self, done: int) -> float | None:
        """Return units a second; None before there is anything to tell it from."""
        now = time.monotonic()
        if self._began is None:
            self._began = now, done
        then, before = self._began
        return (done - before) / (now - then) if done > before and now > then else None


@contextmanager
def _bar(unit: str) -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"), TimeRemainingColumn())
    with RichProgress(TextColumn(unit), *columns, console=Console(stderr=True), transient=True) as bars:
        task, pace = bars.add_task(unit, total=None, rate=""), _Pace()

        def show(done: int, total: int | None) -> None:
            rate = pace.rate(done)
            if rate is None:  # the time left is told from here on, too
                bars.reset(task, completed=done, total=total or None, rate="")
            else:
                bars.update(task, completed=done, total=total or None, rate=_rate(rate, unit))

        yield show


@contextmanager
def _training_bar() -> Iterator[Watch]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as RichProgress

    words = TextColumn("{task.fields[words]}")
    with RichProgress(
        TextColumn("{task.description}"), BarColumn(24), MofNCompleteColumn(), words, console=Console(stderr=True)
    ) as bars:
        task = bars.add_task("", total=None, words="")

        def show(moment: Moment) -> None:
            if moment.found:
                bars.console.print(moment.found, markup=False, highlight=False, soft_wrap=True)
            bars.update(
                task, description=moment.unit, completed=moment.done, total=moment.total, words=_words_of(moment)
            )

        yield show


def _training_lines() -> Watch:
    shown = -LINE_EVERY

    def show(moment: Moment) -> None:
        nonlocal shown
        if moment.found:
            print(moment.found, file=sys.stderr, flush=True)
            return
        now = time.monotonic()
        if now - shown >= LINE_EVERY:
            shown = now
            print(f"{_count(moment.done, moment.total)} {moment.unit}{_words_of(moment)}", file=sys.stderr, flush=True)

    return show


def _words_of(moment: Moment) -> str:
    """Return pace, time left and losses, each where it is known."""
    pace = "" if moment.images_per_second is None else f", {moment.images_per_second:.1f} {moment.of}/s"
    left = "" if moment.seconds_left is None else f", {_clock(moment.seconds_left)} left"
    losses = " ".join(f"{name} {loss:.3g}" for name, loss in moment.losses.items())
    return pace + left + (f": {losses}" if losses else "")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def plain_lines(unit: str, of: str = "") -> Progress:
    """Give a callback that prints a line now and then, with `of` at its beginning."""
    pace, shown = _Pace(), time.monotonic()

    def show(done: int, total: int | None) -> None:
        nonlocal shown
        now, rate = time.monotonic(), pace.rate(done)
        if now - shown < LINE_EVERY or rate is None:
            return
        shown = now
        print(f"{of}{_count(done, total)} {unit}, {_rate(rate, unit)}{_left(done, total, rate)}", file=sys.stderr)

    return show


def _count(done: int, total: int | None) -> str:
    return f"{done}/{total}" if total else str(done)


def _rate(rate: float, unit: str) -> str:
    return f"{rate:.1f} {unit}/s" if rate >= 0.1 else f"{60 * rate:.1f} {unit}/min"


def _left(done: int, total: int | None, rate: float) -> str:
    if not total:
        return ""
    return f", {_clock((total - done) / rate)} left"
