"""Progress is a bar on a terminal and plain lines elsewhere; stdout stays clean."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import time
from contextlib import suppress

import pytest

from faceswap_cli.cli import terminal
from faceswap_cli.cli.terminal import Terminal
from faceswap_cli.training.core.watch import Moment

WORK = (
    "import time; from faceswap_cli.cli.terminal import Terminal\n"
    "with Terminal().progress('frames') as show:\n"
    "    for done in range(1, 9):\n"
    "        time.sleep(0.1); show(done, 8)\n"
    "Terminal().result('out.mp4', {}, False)\n"
)


def on_a_terminal(script: str) -> tuple[bytes, bytes]:
    """What a program shows on a terminal, and what it prints to stdout, which is none."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 120, 0, 0))
    running = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=theirs)
    os.close(theirs)
    shown = all_shown(ours)
    return shown, running.communicate(timeout=60)[0]


def all_shown(terminal: int, seconds: float = 120) -> bytes:
    """Read what a terminal shows until nobody writes there any more, and close it."""
    shown, until = b"", time.monotonic() + seconds
    with suppress(OSError):  # the other end was closed
        while time.monotonic() < until and (block := os.read(terminal, 65536)):
            shown += block
    os.close(terminal)
    return shown


def test_on_a_terminal_a_bar_shows_frames_a_second_and_the_time_left() -> None:
    shown, printed = on_a_terminal(WORK)
    assert printed == b"out.mp4\n"
    assert re.search(rb"\d/8", shown)
    assert re.search(rb"\d+\.\d frames/s", shown)
    assert re.search(rb"0:00:0\d", shown)


def lines_at(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *moments: tuple[float, int, int | None]
) -> list[str]:
    """What is printed into a pipe when at so many seconds so much of so much is done."""
    seconds = 0.0
    monkeypatch.setattr(terminal.time, "monotonic", lambda: seconds)
    with Terminal().progress("frames") as show:
        for seconds, *work in moments:  # noqa: B007 (the clock reads it)
            show(*work)
    told = capsys.readouterr()
    assert told.out == ""
    return told.err.splitlines()


def test_into_a_pipe_progress_is_a_plain_line_every_five_seconds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Twenty of 120 frames in two seconds, then one in the sixth and nine in the seventh; at last no end is known."""
    moments = [(0.0, 10, 120), (2.0, 30, 120), (6.0, 31, 120), (7.0, 40, 120), (12.0, 70, None)]
    assert lines_at(monkeypatch, capsys, *moments) == [
        "31/120 frames, 3.5 frames/s, 0:25 left",
        "70 frames, 5.0 frames/s",
    ]


def test_what_came_before_the_first_frame_counts_for_no_speed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Networks open for 20 s, or an earlier run did 500 frames: of neither a rate or a time left can be told."""
    assert lines_at(monkeypatch, capsys, (20.0, 1, 101), (22.0, 11, 101)) == ["11/101 frames, 5.0 frames/s, 0:18 left"]
    assert lines_at(monkeypatch, capsys, (20.0, 500, 600), (30.0, 520, 600)) == [
        "520/600 frames, 2.0 frames/s, 0:40 left"
    ]


def test_slow_work_is_told_by_the_minute(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert lines_at(monkeypatch, capsys, (3.0, 1, 4), (33.0, 2, 4)) == ["2/4 frames, 2.0 frames/min, 1:00 left"]


def test_quiet_shows_no_progress_and_no_notes(capsys: pytest.CaptureFixture[str]) -> None:
    silent = Terminal(quiet=True)
    with silent.progress("frames") as show:
        show(1, 2)
    silent.note("something")
    assert capsys.readouterr() == ("", "")


def test_json_is_all_there_is_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    Terminal().result("path", {"frames": 3}, as_json=True)
    assert capsys.readouterr().out == '{\n "frames": 3\n}\n'


def test_into_a_pipe_a_training_is_a_line_every_five_seconds_from_its_first_step(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seconds = 100.0
    monkeypatch.setattr(terminal.time, "monotonic", lambda: seconds)
    with Terminal().training() as watch:
        watch(Moment("faces looked at", 512, 2000))
        watch(Moment("pictures", 9, 9, found="a-pack holds 8 faces"))
        for seconds, step in ((104.0, 10), (105.0, 20), (111.0, 30)):  # noqa: B007 (the clock reads it)
            watch(Moment("steps", step, 5000, 31.25, 3725.0, {"identity": 0.41234, "light": 0.02}))
    with Terminal(quiet=True).training() as watch:
        watch(Moment("steps", 1))
    assert capsys.readouterr().err.splitlines() == [
        "512/2000 faces looked at",
        "a-pack holds 8 faces",
        "20/5000 steps, 31.2 images/s, 1:02:05 left: identity 0.412 light 0.02",
        "30/5000 steps, 31.2 images/s, 1:02:05 left: identity 0.412 light 0.02",
    ]


def test_on_a_terminal_a_training_is_a_bar_with_its_losses() -> None:
    script = (
        "from faceswap_cli.cli.terminal import Terminal\n"
        "from faceswap_cli.training.core.watch import Moment\n"
        "with Terminal().training() as watch:\n"
        "    watch(Moment('pictures', 9, 9, found='a-pack holds [8] faces'))\n"
        "    watch(Moment('steps', 30, 50, 31.25, 65.0, {'identity': 0.41234}))\n"
    )
    shown, _ = on_a_terminal(script)
    for words in (b"30/50", b"31.2 images/s", b"1:05 left", b"identity 0.412", b"holds [8] faces"):
        assert words in shown
