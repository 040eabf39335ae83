"""What `faceswap batch` shows: on a terminal a bar of all jobs and one of the clip at hand, elsewhere a line a job."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ..batch.desk import Progress, Update
from ..batch.manifest import read_states
from ..batch.report import BatchResult, counted
from ..batch.states import State, as_record
from .terminal import Progress as FramesProgress
from .terminal import Terminal, plain_lines


@contextmanager
def showing(terminal: Terminal, as_json: bool) -> Iterator[Progress]:
    """Give a callback that shows a batch as it goes; results' paths go to stdout unless that takes the report."""

    def result(update: Update) -> None:
        if update.state.name == "done" and not as_json:
            print(update.job.output, flush=True)

    if terminal.quiet:
        yield result
    elif sys.stderr.isatty():
        with _bars() as (show, say):
            yield _both(show, _lines(say, result))
    else:
        yield _both(_clip_lines(), _lines(terminal.note, result))


def _both(first: Progress, second: Progress) -> Progress:
    def show(update: Update) -> None:
        first(update)
        second(update)

    return show


def _lines(say: Callable[[str], None], result: Progress) -> Progress:
    def show(update: Update) -> None:
        if update.state.name not in ("planned", "running"):
            say(f"[{update.ended}/{update.total}] {_line(Path(update.job.input).name, update.state)}")
            result(update)

    return show


def _clip_lines() -> Progress:
    """Print now and then how far the clips at hand are: one, or as many as a cluster has workers."""
    lines: dict[Path, FramesProgress] = {}

    def show(update: Update) -> None:
        if update.state.name != "running":
            lines.pop(update.job.target, None)
        elif update.frames and update.frames_total != 1:
            name = Path(update.job.input).name
            line = lines.setdefault(update.job.target, plain_lines("frames", of=f"{name}: "))
            line(update.frames, update.frames_total)

    return show


def _line(name: str, state: State) -> str:
    """Say in one line what became of a job."""
    if state.name == "done":
        frames = f"{state.frames} frames, " if state.frames > 1 else ""
        return f"done {name}: {frames}{state.seconds:.1f} s"
    code = f" ({state.code})" if state.code else ""
    return f"{state.name}{code} {name}: {state.line}"


@contextmanager
def _bars() -> Iterator[tuple[Progress, Callable[[str], None]]]:
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with RichProgress(*columns, console=console, transient=True, redirect_stdout=sys.stdout.isatty()) as bars:
        whole, clip = bars.add_task("jobs", total=None), bars.add_task("", total=None, visible=False)

        def show(update: Update) -> None:
            bars.update(whole, completed=update.ended, total=update.total)
            running, name = update.state.name == "running", escape(Path(update.job.input).name)
            if bars.tasks[clip].description != name:
                bars.reset(clip, description=name, total=None)
            bars.update(clip, completed=update.frames, total=update.frames_total or None, visible=running)

        yield show, lambda text: console.print(text, markup=False, highlight=False)


def summary(terminal: Terminal, result: BatchResult, as_json: bool) -> None:
    """Say what the run came to; with `as_json` print the report of the whole."""
    counts = ", ".join(f"{count} {name}" for name, count in result.counts.items() if count)
    terminal.note(
        f"{counts or 'no job'} of {len(result.jobs)} in {result.seconds:.1f} s: {result.options.whole_report}"
    )
    if result.counts["failed"] and not result.options.retry_failed:
        terminal.note("--retry failed does again what failed")
    if as_json:
        print(result.options.whole_report.read_text(encoding="utf-8"), flush=True)


def status(terminal: Terminal, manifest: Path, as_json: bool) -> None:
    """Print how far a batch is: counts, and each job that is running or failed."""
    states = read_states(manifest)
    counts = counted(states.values())
    lines = [", ".join(f"{count} {name}" for name, count in counts.items())]
    lines += [_told(key, state) for key, state in states.items() if state.name in ("running", "failed")]
    lines += [_told(key, state) for key, state in states.items() if state.name == "planned" and state.deaths]
    records = {key: as_record(state) for key, state in states.items()}
    terminal.result("\n".join(lines), {"counts": counts, "jobs": records}, as_json)


def _told(key: str, state: State) -> str:
    if state.name == "running":
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(state.at))
        return f"running {state.input} -> {key}: since {since} in {state.run}"
    died = f" (processes died at it: {state.deaths})" if state.deaths else ""
    return f"{_line(state.input, state)}{died}"
