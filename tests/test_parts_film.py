"""A clip in parts: by a plan of its tracks, by one process or several, broken off or not, the same file comes out."""

import hashlib
import json
import multiprocessing
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from faceswap_cli import Options, find_tracks, swap_video
from faceswap_cli.app.film import ONE_PASS
from faceswap_cli.cli.swapping import summary
from faceswap_cli.errors import MediaError, NoFaceError, OutputError, UsageError
from faceswap_cli.media.segments import file_sha256
from faceswap_cli.parts.crew import Processes, together
from faceswap_cli.parts.cut import Part
from faceswap_cli.pipeline import Swapper
from faceswap_cli.stages.hindsight import LATE, UNMEANT

from .conftest import NODE, client_of_a_cluster, ray_actors, ray_cluster, write_clip

pytestmark = pytest.mark.usefixtures("kept_looks")
COUNTED = ("frames", "faces_found", "faces_swapped", "faces_skipped", "frames_with_face", "people", "likeness")


@pytest.fixture(scope="module")
def film(short_clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """28 frames of 5.6 seconds, three stretches of the output; nobody is in the last four."""
    views = pictures(short_clip)
    empty = [np.full_like(views[0], 200)] * 4
    return write_clip(tmp_path_factory.mktemp("film") / "film.mp4", [*views, *views, *empty], rate=5)


@pytest.fixture(scope="module")
def whole(portrait: Path, film: Path, options: Options, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What a run without a plan gives."""
    return swap_video(portrait, film, tmp_path_factory.mktemp("whole") / "out.mp4", options)


def pictures(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def counted(report: dict[str, Any]) -> dict[str, Any]:
    return {name: report[name] for name in COUNTED}


def test_a_plan_made_and_used_changes_nothing(
    portrait: Path, film: Path, options: Options, whole: Any, tmp_path: Path
) -> None:
    asked = replace(options, plan=tmp_path / "tracks.json")
    made = swap_video(portrait, film, tmp_path / "made.mp4", asked)
    used = swap_video(portrait, film, tmp_path / "used.mp4", asked)
    assert file_sha256(made.output) == file_sha256(used.output) == file_sha256(whole.output)
    assert counted(made.report) == counted(used.report) == counted(whole.report)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["made.mp4", "tracks.json", "used.mp4"]


def test_two_workers_give_what_one_process_gives(
    portrait: Path, film: Path, options: Options, whole: Any, tmp_path: Path
) -> None:
    seen: list[tuple[int, int | None]] = []
    result = swap_video(
        portrait, film, tmp_path / "out.mp4", replace(options, workers=2), lambda *step: seen.append(step)
    )
    assert file_sha256(result.output) == file_sha256(whole.output)
    assert counted(result.report) == counted(whole.report)
    assert seen == [(number, 28) for number in range(1, 29)]
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]


def test_a_gif_of_a_stretch_of_it_is_the_same_by_two_workers(
    portrait: Path, film: Path, options: Options, tmp_path: Path
) -> None:
    """From frame 6, inside the first two seconds of the output, to frame 22."""
    asked = replace(options, preset=None, start=Fraction(6, 5), end=Fraction(23, 5))
    one = swap_video(portrait, film, tmp_path / "one.gif", asked)
    two = swap_video(portrait, film, tmp_path / "two.gif", replace(asked, workers=2))
    assert (one.frames, one.faces_swapped) == (17, 17)
    assert file_sha256(two.output) == file_sha256(one.output)
    assert counted(two.report) == counted(one.report)


@pytest.fixture(scope="module")
def late(short_clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 frames, five a second; the upper half of the face is covered in the first twelve, and unlike whose it is."""
    views = [view.copy() for view in pictures(short_clip)]
    for number, view in enumerate(views):
        top = 28 - round(1.4 * number)  # of the face, which the camera leaves behind
        view[top : top + 57, 105:225] = (60, 50, 45)
    return write_clip(
        tmp_path_factory.mktemp("late") / "late.mp4", [*views, *reversed(pictures(short_clip)[4:])], rate=5
    )


def test_who_is_covered_at_first_is_swapped_throughout_by_a_plan_and_told_by_one_pass(
    portrait: Path, late: Path, options: Options, tmp_path: Path
) -> None:
    """Views are taken at frames 0, 3 and 6, the third of them of frame 12, as far ahead as it is looked."""
    asked = replace(options, who=f"like:{portrait}")
    one = swap_video(portrait, late, tmp_path / "one.mp4", asked)
    assert [(each.first, each.last, each.frames, each.why) for each in one.left] == [(0.0, 1.0, 6, LATE)]
    assert (one.frames, one.faces_swapped) == (20, 14)
    assert "obama.jpg 0.00-1.00 s (recognised only later)" in summary(one)
    assert "6 faces of somebody who was recognised only later" in " ".join(one.notes)
    told: list[tuple[int, int | None]] = []
    found = find_tracks(portrait, late, replace(asked, plan=tmp_path / "tracks.json"), lambda *step: told.append(step))
    assert told == [(number, 20) for number in range(1, 21)]
    assert [person.swap for person in found.people] == [True]
    planned = swap_video(portrait, late, tmp_path / "planned.mp4", replace(asked, plan=found.path))
    parts = swap_video(portrait, late, tmp_path / "parts.mp4", replace(asked, parts=2))
    assert (planned.faces_swapped, planned.left, parts.faces_swapped, parts.left) == (20, (), 20, ())
    assert file_sha256(parts.output) == file_sha256(planned.output)
    assert {path.name for path in tmp_path.iterdir()} == {"one.mp4", "planned.mp4", "parts.mp4", "tracks.json"}


def test_what_one_pass_decided_is_not_kept_by_a_run_that_plans(
    portrait: Path, late: Path, options: Options, tmp_path: Path
) -> None:
    """The first stretch is finished, its first six faces left, when the run is broken; parts then swap them too."""
    asked, output = replace(options, who=f"like:{portrait}"), tmp_path / "out.mp4"
    with pytest.raises(KeyboardInterrupt):
        swap_video(portrait, late, output, asked, interrupting(14))
    result = swap_video(portrait, late, output, replace(asked, parts=2))
    assert (result.faces_swapped, result.left, result.report["resumed_frames"]) == (20, (), 0)
    assert f"{ONE_PASS}: it was dropped, and all was done afresh" in result.notes
    whole = swap_video(portrait, late, tmp_path / "whole.mp4", replace(asked, parts=2))
    assert file_sha256(output) == file_sha256(whole.output)


def test_who_is_not_meant_and_covered_at_first_is_told_by_one_pass_and_left_by_a_plan(
    portrait: Path, late: Path, options: Options, tmp_path: Path
) -> None:
    """Where there is nobody else: the six frames before they are recognised are swapped, and no more."""
    asked = replace(options, not_who=f"like:{portrait}", faces="all")
    one = swap_video(portrait, late, tmp_path / "one.mp4", asked)
    assert [(each.first, each.last, each.frames, each.why) for each in one.unmeant] == [(0.0, 1.0, 6, UNMEANT)]
    assert (one.faces_swapped, one.left) == (6, ())
    assert f"swapped and not meant: 0.00-1.00 s ({UNMEANT})" in summary(one)
    assert "6 faces in 20 frames were swapped before it was known that somebody else is meant" in " ".join(one.notes)
    with pytest.raises(NoFaceError, match="nobody"):
        swap_video(portrait, late, tmp_path / "planned.mp4", replace(asked, parts=2))


def interrupting(at: int) -> Callable[[int, int | None], None]:
    def interrupt(done: int, total: int | None) -> None:
        if done == at:
            raise KeyboardInterrupt

    return interrupt


@pytest.mark.parametrize("workers", [1, 2])
def test_a_broken_run_goes_on_without_looking_at_what_is_done(
    portrait: Path,
    film: Path,
    options: Options,
    whole: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    workers: int,
) -> None:
    """The plan is whole by then: who is where is not looked at again, nor what is done."""
    asked, output = replace(options, workers=workers, parts=3), tmp_path / "out.mp4"
    with pytest.raises(KeyboardInterrupt):
        swap_video(portrait, film, output, asked, interrupting(22))
    assert (tmp_path / ".out.mp4.faceswap" / "tracks.json").exists()
    monkeypatch.setattr(Swapper, "located", None)
    seen: list[int] = []
    result = swap_video(portrait, film, output, options, lambda done, total: seen.append(done))
    assert file_sha256(output) == file_sha256(whole.output)
    assert result.report["people"] == whole.report["people"]
    resumed = result.report["resumed_frames"]
    assert 0 < resumed < 28
    assert seen == list(range(resumed, 29))
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("FACESWAP_SLOW"), reason="two processes with all networks: set FACESWAP_SLOW")
def test_two_workers_swap_with_the_shipped_networks_as_one_process_does(
    portrait: Path, short_clip: Path, tmp_path: Path
) -> None:
    """The second part begins at frame 50, and its history, 62 frames at most, at the beginning of the clip."""
    views = pictures(short_clip)
    clip = write_clip(tmp_path / "in.mp4", [*views, *views[::-1], *views, *views[::-1], *views[:8]])
    options = Options(device="cpu", threads=1, preset="ultrafast")
    one = swap_video(portrait, clip, tmp_path / "one.mp4", options)
    two = swap_video(portrait, clip, tmp_path / "two.mp4", replace(options, workers=2))
    assert one.faces_swapped == 56
    assert digests(two.output) == digests(one.output)
    assert counted(two.report) == counted(one.report)


def digests(path: Path) -> list[str]:
    return [hashlib.sha256(picture.tobytes()).hexdigest() for picture in pictures(path)]


def edited(plan: Path, **change: object) -> Path:
    record = json.loads(plan.read_text())
    for person in record["people"]:
        person.update(change)
    plan.write_text(json.dumps(record))
    return plan


@pytest.fixture(scope="module")
def plan(portrait: Path, film: Path, options: Options, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("plan") / "tracks.json"
    swap_video(portrait, film, path.with_name("out.mp4"), replace(options, plan=path))
    return path


def test_a_plan_left_by_a_run_that_asked_for_other_people_is_dropped(
    portrait: Path, film: Path, options: Options, plan: Path, tmp_path: Path
) -> None:
    folder = tmp_path / ".out.mp4.faceswap"
    folder.mkdir()
    shutil.copy(plan, folder)
    with pytest.raises(KeyboardInterrupt):
        swap_video(portrait, film, tmp_path / "out.mp4", replace(options, faces="all"), interrupting(2))
    assert not folder.exists()


def test_a_plan_may_be_written_before_anybody_is_swapped(
    portrait: Path, film: Path, options: Options, plan: Path, tmp_path: Path
) -> None:
    found = find_tracks(portrait, film, replace(options, plan=tmp_path / "tracks.json"))
    assert found.path.read_text() == plan.read_text()
    assert (found.frame_count, found.people[0].swap) == (28, True)


def test_a_plan_that_swaps_nobody_writes_nothing(
    portrait: Path, film: Path, options: Options, plan: Path, tmp_path: Path
) -> None:
    own = edited(Path(shutil.copy(plan, tmp_path)), swap=False)
    with pytest.raises(NoFaceError, match="nobody is swapped"):
        swap_video(portrait, film, tmp_path / "out.mp4", replace(options, plan=own))
    assert [path.name for path in tmp_path.iterdir()] == ["tracks.json"]


@pytest.mark.slow
def test_another_source_may_be_said_in_the_plan(
    portrait: Path, data: Path, film: Path, options: Options, tmp_path: Path
) -> None:
    """Of two sources the first is for the one on the left, who is alone; the plan gives them the second."""
    other = data / "photos" / "face_recognition" / "biden.jpg"
    asked = replace(options, plan=tmp_path / "tracks.json")
    sources = {"left": portrait, "2": other}
    swap_video(sources, film, tmp_path / "first.mp4", asked)
    edited(tmp_path / "tracks.json", source=1)
    second = swap_video(sources, film, tmp_path / "second.mp4", asked)
    alone = swap_video(other, film, tmp_path / "alone.mp4", options)
    assert digests(second.output) == digests(alone.output)
    assert [each["faces_swapped"] for each in second.report["people"]] == [0, 24]


def test_work_done_by_another_plan_is_not_gone_on_with(
    portrait: Path, film: Path, options: Options, plan: Path, tmp_path: Path
) -> None:
    own = Path(shutil.copy(plan, tmp_path))
    asked = replace(options, plan=own)
    with pytest.raises(KeyboardInterrupt):
        swap_video(portrait, film, tmp_path / "out.mp4", asked, interrupting(22))
    record = json.loads(own.read_text())
    record["frames"][3]["faces"][0]["points"][0] += 1
    own.write_text(json.dumps(record))
    result = swap_video(portrait, film, tmp_path / "out.mp4", asked)
    assert result.report["resumed_frames"] == 0
    assert any("dropped" in note for note in result.notes)


@pytest.mark.parametrize("wrong", ["settings", "clip", "hole"])
def test_a_plan_that_does_not_fit_ends_with_a_line_and_nothing_written(
    portrait: Path, film: Path, short_clip: Path, options: Options, plan: Path, tmp_path: Path, wrong: str
) -> None:
    own = Path(shutil.copy(plan, tmp_path))
    if wrong == "hole":
        own.write_text(own.read_text().replace('"frame": 3,', '"frame": 4,'))
    asked = replace(options, plan=own, faces="all" if wrong == "settings" else "largest")
    with pytest.raises(UsageError, match=r"tracks\.json"):
        swap_video(portrait, short_clip if wrong == "clip" else film, tmp_path / "out.mp4", asked)
    assert [path.name for path in tmp_path.iterdir()] == ["tracks.json"]


def test_nobody_in_a_clip_leaves_no_plan(portrait: Path, options: Options, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "in.mp4", [np.full((96, 128, 3), level, np.uint8) for level in range(60, 66)])
    for workers in (1, 2):
        asked = replace(options, plan=tmp_path / "tracks.json", workers=workers)
        with pytest.raises(NoFaceError, match=r"6 frames of in\.mp4"):
            swap_video(portrait, clip, tmp_path / "out.mp4", asked)
        assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


@pytest.mark.slow
def test_a_killed_worker_is_an_output_error_and_what_is_done_is_kept(
    portrait: Path, film: Path, options: Options, whole: Any, tmp_path: Path
) -> None:
    def kill(done: int, total: int | None) -> None:
        if done == 12:
            for child in multiprocessing.active_children():
                os.kill(child.pid, signal.SIGKILL)

    asked = replace(options, workers=2, parts=3)
    with pytest.raises(OutputError, match="a worker was ended"):
        swap_video(portrait, film, tmp_path / "out.mp4", asked, kill)
    swap_video(portrait, film, tmp_path / "out.mp4", asked)
    assert file_sha256(tmp_path / "out.mp4") == file_sha256(whole.output)


def blas_threads() -> Any:
    """Open no bench, but say what a worker finds in its environment."""
    raise OutputError(os.environ["OPENBLAS_NUM_THREADS"])


def test_workers_compute_small_products_with_one_thread_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    with pytest.raises(OutputError, match=r"^1$"):
        list(together(Processes(blas_threads, 1), [Part(b"", 0, None, True)]))
    assert "OPENBLAS_NUM_THREADS" not in os.environ


KILLED = (
    "import multiprocessing, os, pickle, sys\n"
    "from faceswap_cli import swap_video\n"
    "def kill(done, total):\n"
    "    children = multiprocessing.active_children()\n"
    "    if done >= 4 and len(children) == 2:\n"
    "        print(*(child.pid for child in children), flush=True)\n"
    "        os.kill(os.getpid(), 9)\n"
    "if __name__ == '__main__':\n"
    "    swap_video(*pickle.loads(bytes.fromhex(sys.argv[1])), kill)\n"
)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the system does not tell which processes live")
def test_workers_end_with_the_process_that_started_them(
    portrait: Path, film: Path, options: Options, whole: Any, tmp_path: Path
) -> None:
    script, output = tmp_path / "run.py", tmp_path / "out.mp4"
    script.write_text(KILLED)
    asked = (portrait, film, output, replace(options, workers=2, parts=3))
    words = [sys.executable, str(script), pickle.dumps(asked).hex()]
    run = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
    assert run.returncode == -signal.SIGKILL, run.stderr
    workers = run.stdout.split()
    deadline = time.monotonic() + 30
    while any(lives(pid) for pid in workers) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert len(workers) == 2
    assert not any(lives(pid) for pid in workers)
    swap_video(*asked)
    assert file_sha256(output) == file_sha256(whole.output)


def lives(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """The address of a cluster of one node with two CPUs."""
    with ray_cluster(num_cpus=2) as running:
        yield running.address


@pytest.mark.slow
def test_a_cluster_that_loses_workers_gives_what_one_process_gives(
    cluster: str, portrait: Path, film: Path, options: Options, whole: Any, tmp_path: Path
) -> None:
    seen: list[tuple[int, int | None]] = []
    killed: list[int] = []

    def kill_once(done: int, total: int | None) -> None:
        seen.append((done, total))
        if not killed:
            killed.extend(ray_actors("PartActor"))
            for pid in killed:
                os.kill(pid, signal.SIGKILL)

    asked = replace(options, ray=cluster, parts=3)
    result = swap_video(portrait, film, tmp_path / "out.mp4", asked, kill_once)
    assert killed
    assert file_sha256(result.output) == file_sha256(whole.output)
    assert counted(result.report) | {"likeness": 0} == counted(whole.report) | {"likeness": 0}
    assert seen == [(number, 28) for number in range(1, 29)]
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]


@pytest.mark.slow
def test_what_a_cluster_has_done_is_gone_on_with_by_one_process(
    cluster: str, portrait: Path, film: Path, options: Options, whole: Any, tmp_path: Path
) -> None:
    output = tmp_path / "out.mp4"
    with pytest.raises(KeyboardInterrupt):
        swap_video(portrait, film, output, replace(options, ray=cluster, parts=3, workers=1), interrupting(22))
    deadline = time.monotonic() + 30
    while ray_actors("PartActor") and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not ray_actors("PartActor")
    result = swap_video(portrait, film, output, options)
    assert file_sha256(output) == file_sha256(whole.output)
    assert result.report["resumed_frames"] == 20


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("FACESWAP_SLOW"), reason="starts a cluster of three nodes: set FACESWAP_SLOW")
def test_a_film_whose_whole_node_is_lost_goes_on_at_another(
    portrait: Path, film: Path, options: Options, whole: Any, tmp_path: Path
) -> None:
    """The head has no CPU to give, so the one that swaps is on the node that goes, in the midst of its first part."""
    seen, lost = list[int](), list[Any]()
    with ray_cluster(num_cpus=0) as running:
        node = running.add_node(num_cpus=1, **NODE)

        def lose_it(done: int, total: int | None) -> None:
            seen.append(done)
            if done == 6:
                running.add_node(num_cpus=1, **NODE)
                running.remove_node(node, allow_graceful=False)
                lost.append(node)

        asked = replace(options, ray=running.address, parts=3)
        result = swap_video(portrait, film, tmp_path / "out.mp4", asked, lose_it)
    assert lost
    assert file_sha256(result.output) == file_sha256(whole.output)
    assert seen == list(range(1, 29))


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("FACESWAP_SLOW"), reason="starts a cluster and its client: set FACESWAP_SLOW")
def test_a_film_swapped_by_a_client_of_a_cluster_is_the_same_and_so_is_what_a_worker_raises(
    portrait: Path, film: Path, options: Options, whole: Any, tmp_path: Path
) -> None:
    with client_of_a_cluster() as address:
        from faceswap_cli.cluster import connected
        from faceswap_cli.parts.on_ray import RayCrew

        from .test_parts_on_ray import no_bench

        asked = replace(options, ray=address, parts=3)
        result = swap_video(portrait, film, tmp_path / "out.mp4", asked)
        with connected(address):
            crew = RayCrew(partial(no_bench, MediaError("in.mp4 cannot be read")), replace(asked, workers=1))
            with pytest.raises(MediaError, match=r"^in\.mp4 cannot be read$"):
                list(together(crew, [Part(b"", 0, None, True)]))
    assert file_sha256(result.output) == file_sha256(whole.output)


def test_an_address_where_nobody_answers_is_told_before_any_work(
    portrait: Path, film: Path, options: Options, tmp_path: Path
) -> None:
    pytest.importorskip("ray", reason="a cluster needs the [ray] extra")
    began = time.monotonic()
    with pytest.raises(UsageError, match=r"no Ray cluster answers at 127\.0\.0\.1:1 \(Connection refused\)"):
        swap_video(portrait, film, tmp_path / "out.mp4", replace(options, ray="127.0.0.1:1"))
    assert time.monotonic() - began < 10
    assert not list(tmp_path.iterdir())


def test_without_the_extra_the_command_that_brings_it_is_told(
    portrait: Path, film: Path, options: Options, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "faceswap_cli.cluster", raising=False)
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match="needs ray, which is not installed: run `python -m pip install"):
        swap_video(portrait, film, tmp_path / "out.mp4", replace(options, ray="local"))
