"""What a person types to swap many files, and what they are told."""

import json
import os
import pty
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import cv2
import pytest

from .test_cli import SCRIPT, started
from .test_cli_terminal import all_shown
from .warm import faceswap


@pytest.fixture(scope="module")
def swap_with(tinting_generator: Path, whole_pack: Path) -> tuple[object, ...]:
    """The options of a small, quick swap."""
    return ("--model", tinting_generator, "--face-pack", whole_pack, "--device", "cpu", "--threads", 1)


@pytest.fixture
def clips(tmp_path: Path, portrait: Path) -> Path:
    """A folder of two photos, one in a folder of its own, and a file that is none."""
    folder = tmp_path / "clips"
    (folder / "sub").mkdir(parents=True)
    cv2.imwrite(str(folder / "a.jpg"), cv2.resize(cv2.imread(str(portrait)), (320, 240)))
    shutil.copy(folder / "a.jpg", folder / "sub" / "a.jpg")
    (folder / "broken.png").write_text("no photo")
    return folder


def test_a_folder_is_swapped_and_one_broken_file_gives_the_exit_code(
    tmp_path: Path,
    clips: Path,
    portrait: Path,
    swap_with: tuple[object, ...],
) -> None:
    words = ("batch", "-s", portrait, clips, "--output", f"{tmp_path}/out/{{folder}}/{{stem}}_swapped.{{ext}}")
    done = faceswap(*words, *swap_with)
    assert done.returncode == 5
    assert done.stdout == f"{tmp_path}/out/a_swapped.jpg\n{tmp_path}/out/sub/a_swapped.jpg\n"
    lines = done.stderr.splitlines()
    assert lines[0].startswith("[1/3] done a.jpg: ")
    assert lines[1] == "[2/3] failed (5) broken.png: broken.png is a text file, not a photo or clip"
    assert lines[3].startswith("2 done, 1 failed of 3 in ")
    again = faceswap(*words, *swap_with, "--json")
    assert (again.returncode, json.loads(again.stdout)["counts"]["done"]) == (5, 2)
    shown = faceswap("batch", "status", tmp_path / "out" / "faceswap-batch.jsonl")
    assert shown.stdout.splitlines()[0] == "0 planned, 0 running, 2 done, 1 failed, 0 skipped"
    assert f"failed (5) {clips}/broken.png" in shown.stdout


def test_a_jobs_file_is_a_row_a_job_and_the_command_line_says_the_rest(
    tmp_path: Path,
    clips: Path,
    portrait: Path,
    swap_with: tuple[object, ...],
) -> None:
    (tmp_path / "jobs.csv").write_text("input,output,opacity\nclips/a.jpg,x.png,\nclips/sub/a.jpg,,0.5\n")
    words = ("batch", "-s", portrait, "--jobs", tmp_path / "jobs.csv", "-o", f"{tmp_path}/out/{{number}}.{{ext}}")
    done = faceswap(*words, *swap_with, "--opacity", 0.9)
    assert (done.returncode, done.stdout) == (0, f"{tmp_path}/x.png\n{tmp_path}/out/2.jpg\n"), done.stderr
    whole = json.loads((tmp_path / "out" / "faceswap-batch.report.json").read_text())
    reports = [json.loads((tmp_path / "out" / job["report"]).read_text()) for job in whole["jobs"]]
    assert [report["options"]["opacity"] for report in reports] == ["0.9", "0.5"]


@pytest.mark.parametrize(
    "words, told",
    [
        (("batch",), "give photos, clips or folders, or --jobs FILE"),
        (("batch", "clips", "--jobs", "jobs.csv"), "one of the two"),
        (("batch", "clips"), "no source"),
        (("batch", "-s", "me.jpg", "empty"), "holds no photo or clip"),
        (("batch", "-s", "me.jpg", "clips", "-o", "out/{stme}"), "{stme}"),
        (("batch", "-s", "me.jpg", "clips", "-o", "out/{stem}.{ext}"), "two jobs would write"),
        (("batch", "-s", "me.jpg", "clips", "--retry", "all"), "give failed"),
        (("batch", "-s", "me.jpg", "clips", "--shard", "auto"), "JOB_COMPLETION_INDEX"),
        (("batch", "--jobs", "jobs.csv"), "unknown column 'mood'"),
        (("batch", "--jobs", "nosource.csv"), "nosource.csv, row 2: no source"),
        (("batch", "-s", "me.jpg", "--jobs", "bad.csv"), "bad.csv, row 2: quality is 101"),
        (("batch", "status", "gone.jsonl"), "does not exist"),
    ],
)
def test_what_cannot_be_meant_is_one_line_before_any_work(
    tmp_path: Path, clips: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "jobs.csv").write_text("input,mood\nclips/a.jpg,good\n")
    (tmp_path / "nosource.csv").write_text("input\nclips/a.jpg\n")
    (tmp_path / "bad.csv").write_text("input,quality\nclips/a.jpg,101\n")
    before = sorted(tmp_path.rglob("*"))
    done = faceswap(*words)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
    assert told in done.stderr
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("ctrl_c", [signal.default_int_handler, signal.SIG_IGN])
def test_a_scheduler_s_sigterm_ends_it_in_order(
    tmp_path: Path,
    clips: Path,
    portrait: Path,
    short_clip: Path,
    swap_with: tuple[object, ...],
    ctrl_c: Any,
) -> None:
    """In the foreground, and in the background of a script, where Ctrl-C is ignored."""
    for number in range(8):
        shutil.copy(short_clip, clips / f"{number}.mp4")
    words = ("batch", "-s", portrait, clips, "-o", f"{tmp_path}/out", *swap_with)
    running = started(*words, heeding=lambda: signal.signal(signal.SIGINT, ctrl_c))
    assert running.stdout is not None
    running.stdout.readline()
    running.send_signal(signal.SIGTERM)
    told = running.communicate(timeout=120)[1]
    assert running.returncode == 130
    assert "the same command goes on from there" in told.splitlines()[-1]
    states = faceswap("batch", "status", tmp_path / "out" / "faceswap-batch.jsonl", "--json")
    counts = json.loads(states.stdout)["counts"]
    assert counts["done"] >= 1
    assert counts["running"] == 0
    assert counts["planned"] >= 1


def test_on_a_terminal_a_bar_shows_all_jobs_and_the_clip_at_hand(
    tmp_path: Path,
    portrait: Path,
    short_clip: Path,
    swap_with: tuple[object, ...],
) -> None:
    ours, theirs = pty.openpty()
    words = ("batch", "-s", portrait, short_clip, "-o", f"{tmp_path}/out/", *swap_with)
    running = subprocess.Popen([SCRIPT, *map(str, words)], stdout=subprocess.PIPE, stderr=theirs)
    os.close(theirs)
    shown = all_shown(ours)
    assert running.communicate(timeout=60)[0] == f"{tmp_path}/out/portrait_swapped.mp4\n".encode()
    assert b"jobs" in shown
    assert b"portrait.mp4" in shown
    assert b"/12" in shown


def test_of_clips_side_by_side_each_line_says_which_it_is_of(monkeypatch: pytest.MonkeyPatch) -> None:
    from faceswap_cli import Job
    from faceswap_cli.batch.desk import Update
    from faceswap_cli.batch.states import State
    from faceswap_cli.cli import batch_shown, terminal

    monkeypatch.setattr(terminal, "LINE_EVERY", 0.0)
    said: list[str] = []
    monkeypatch.setattr("builtins.print", lambda text, **to: said.append(text))
    show = batch_shown._clip_lines()
    for frames in (1, 3):
        for name in ("a", "b"):
            job = Job("me.jpg", f"{name}.mp4", Path(f"out/{name}.mp4"))
            show(Update(job, State(name="running", at=0.0), 0, 2, frames, 4))
    assert [line.split(",")[0] for line in said] == ["a.mp4: 3/4 frames", "b.mp4: 3/4 frames"]
