"""Progress is a bar on a terminal and plain lines elsewhere; stdout stays clean."""

import os
import pty
import re
import subprocess
import sys

import pytest

from faceswap_cli.cli import terminal
from faceswap_cli.cli.terminal import Terminal

WORK = (
    "import time; from faceswap_cli.cli.terminal import Terminal\n"
    "with Terminal().progress('frames') as show:\n"
    "    for done in range(1, 9):\n"
    "        time.sleep(0.1); show(done, 8)\n"
    "Terminal().result('out.mp4', {}, False)\n"
)


def test_on_a_terminal_a_bar_shows_frames_a_second_and_the_time_left() -> None:
    ours, theirs = pty.openpty()
    running = subprocess.Popen([sys.executable, "-c", WORK], stdout=subprocess.PIPE, stderr=theirs)
    os.close(theirs)
    shown = b""
    while True:
        try:
            block = os.read(ours, 65536)
        except OSError:  # the other end was closed
            break
        if not block:
            break
        shown += block
    os.close(ours)
    assert running.communicate(timeout=60)[0] == b"out.mp4\n"
    assert re.search(rb"\d/8", shown)
    assert re.search(rb"\d+\.\d frames/s", shown)
    assert re.search(rb"0:00:0\d", shown)


def test_into_a_pipe_progress_is_plain_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(terminal, "LINE_EVERY", 0.0)
    with Terminal().progress("frames") as show:
        show(30, 120)
        show(31, None)
    told = capsys.readouterr()
    assert told.out == ""
    first, second = told.err.splitlines()
    assert re.fullmatch(r"30/120 frames, \d+\.\d frames/s, \d+:\d\d left", first)
    assert re.fullmatch(r"31 frames, \d+\.\d frames/s", second)


def test_quiet_shows_no_progress_and_no_notes(capsys: pytest.CaptureFixture[str]) -> None:
    silent = Terminal(quiet=True)
    with silent.progress("frames") as show:
        show(1, 2)
    silent.note("something")
    assert capsys.readouterr() == ("", "")


def test_json_is_all_there_is_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    Terminal().result("path", {"frames": 3}, as_json=True)
    assert capsys.readouterr().out == '{\n "frames": 3\n}\n'
