"""A batch on Ray: the same states as in one process, and a lost worker's job is done all the same."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import pytest

from faceswap_cli import BatchOptions, Job, Options, swap_many
from faceswap_cli.batch.desk import Update
from faceswap_cli.errors import UsageError

from .conftest import client_of_a_cluster, free_port, ray_actors
from .test_batch_runner import small_photo

ray = pytest.importorskip("ray", reason="needs the [ray] extra")
connected = pytest.importorskip("faceswap_cli.cluster").connected

RAY = Path(sys.executable).with_name("ray")


@pytest.fixture
def jobs(tmp_path: Path, portrait: Path, short_clip: Path, tinting_generator: Path, whole_pack: Path) -> list[Job]:
    """A photo, a clip, and one that is none."""
    me, clips = small_photo(portrait, tmp_path / "me.jpg"), tmp_path / "clips"
    clips.mkdir()
    inputs = [Path(shutil.copy(me, clips / "a.jpg")), Path(shutil.copy(short_clip, clips / "b.mp4")), clips / "c.mp4"]
    inputs[2].write_text("no clip")
    options = Options(model=str(tinting_generator), face_pack=whole_pack, device="cpu", threads=1)
    return [Job(me, path, tmp_path / "out" / path.name, options) for path in inputs]


@pytest.mark.slow
def test_a_killed_worker_s_job_is_handed_out_again_and_the_states_are_as_ever(tmp_path: Path, jobs: list[Job]) -> None:
    killed: list[int] = []

    def kill_once(update: Update) -> None:
        if update.job.target.name == "b.mp4" and update.state.name == "running" and not killed:
            killed.extend(ray_actors("SwapActor"))
            for pid in killed:
                os.kill(pid, signal.SIGKILL)

    choices = BatchOptions(manifest=tmp_path / "out" / "batch.jsonl", ray="local", workers=1)
    result = swap_many(jobs, choices, kill_once)
    assert killed
    assert [(state.name, state.code) for state in result.states] == [("done", 0), ("done", 0), ("failed", 5)]
    assert (result.states[1].frames, result.states[1].deaths) == (12, 1)
    assert cv2.imread(str(jobs[0].target)) is not None


@pytest.mark.parametrize("address", ["ray://127.0.0.1:1", "127.0.0.1:1"])
def test_an_address_where_nobody_answers_is_told_at_once(tmp_path: Path, jobs: list[Job], address: str) -> None:
    began = time.monotonic()
    with pytest.raises(UsageError, match=r"no Ray cluster answers at .*127\.0\.0\.1:1 \(Connection refused\)"):
        swap_many(jobs, BatchOptions(manifest=tmp_path / "batch.jsonl", ray=address))
    assert time.monotonic() - began < 10


def test_a_server_that_is_not_ray_s_is_told_at_once(tmp_path: Path, jobs: list[Job]) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        choices = BatchOptions(manifest=tmp_path / "batch.jsonl", ray=f"127.0.0.1:{server.server_port}")
        with pytest.raises(UsageError, match=r"\(something else than Ray answers there\)"):
            swap_many(jobs, choices)
        server.shutdown()


def test_an_address_that_is_none_is_refused(tmp_path: Path, jobs: list[Job]) -> None:
    with pytest.raises(UsageError, match="give local, auto, ray://host:10001"):
        swap_many(jobs, BatchOptions(manifest=tmp_path / "batch.jsonl", ray="ray://somewhere"))


def test_workers_without_ray_are_refused() -> None:
    with pytest.raises(UsageError, match="give --ray"):
        BatchOptions(workers=2)


@pytest.fixture
def living_cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two nodes of one CPU each, started as a person starts them on two machines."""
    for name, value in {"RAY_AUTH_MODE": "disabled", "RAY_worker_niceness": "0"}.items():
        monkeypatch.setenv(name, value)
    port = free_port()
    small = ["--block", "--num-cpus", "1", "--object-store-memory", str(80 << 20), "--disable-usage-stats"]
    kinds = (["--head", "--port", str(port), "--include-dashboard", "false"], ["--address", f"127.0.0.1:{port}"])
    nodes = []
    try:
        for kind in kinds:
            nodes.append(subprocess.Popen([RAY, "start", *kind, *small], stdout=subprocess.PIPE, text=True))
            assert any("--block" in line for line in nodes[-1].stdout or []), "Ray says so behind its start"
        yield
    finally:
        for node in reversed(nodes):
            node.terminate()
            node.wait(60)


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("FACESWAP_SLOW"), reason="starts a cluster: set FACESWAP_SLOW")
@pytest.mark.usefixtures("living_cluster")
def test_auto_takes_all_nodes_of_the_cluster_this_machine_is_in(tmp_path: Path, jobs: list[Job]) -> None:
    result = swap_many(jobs, BatchOptions(manifest=tmp_path / "out" / "batch.jsonl", ray="auto"))
    assert [(state.name, state.code) for state in result.states] == [("done", 0), ("done", 0), ("failed", 5)]
    with connected("auto"):
        assert len(ray.nodes()) == 2
    with connected("local"):  # begins one of its own although the machine is in another
        assert len(ray.nodes()) == 1


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("FACESWAP_SLOW"), reason="starts a cluster and its client: set FACESWAP_SLOW")
def test_ctrl_c_at_a_client_gives_back_what_is_with_a_worker_and_the_same_call_does_it(
    tmp_path: Path, jobs: list[Job]
) -> None:
    """It comes where one of two workers has done its job, and the other is at one."""
    clips = [replace(jobs[1], output=tmp_path / "out" / f"{number}.mp4") for number in range(4)]
    told, running = list[Update](), set[Path]()

    def interrupt(update: Update) -> None:
        told.append(update)
        if update.state.name == "running":
            running.add(update.job.target)
        if update.state.name == "done":
            running.remove(update.job.target)
            if running:
                raise KeyboardInterrupt

    with client_of_a_cluster() as address:
        choices = BatchOptions(manifest=tmp_path / "out" / "batch.jsonl", ray=address)
        with pytest.raises(KeyboardInterrupt):
            swap_many(clips, choices, interrupt)
        result = swap_many([*clips, jobs[2]], choices, told.append)
    assert [update.state.line for update in told if update.state.name == "planned"] == ["interrupted"]
    assert sorted(update.job.target.name for update in told if update.state.name == "done") == [
        "0.mp4", "1.mp4", "2.mp4", "3.mp4",
    ]  # fmt: skip
    assert [(state.name, state.code) for state in result.states] == [*[("done", 0)] * 4, ("failed", 5)]


FAR = """
import sys
import ray
from faceswap_cli.cluster import refuse_bare_machine
ray.init(address="local", include_dashboard=False, log_to_driver=False, num_cpus=1)
sys.path.append(sys.argv[1])  # behind Ray's back: its workers do not find what lies there
import far
try:
    ray.get(ray.remote(far.Far).remote().about.remote())
except ray.exceptions.RayError as error:
    refuse_bare_machine(error)
"""


@pytest.mark.slow
def test_a_machine_that_lacks_the_package_is_told(tmp_path: Path) -> None:
    (tmp_path / "far.py").write_text("class Far:\n    def about(self):\n        return 1\n")
    done = subprocess.run([sys.executable, "-c", FAR, tmp_path], capture_output=True, text=True, timeout=400)
    assert "UsageError: a machine of the cluster has no far: install faceswap-cli[ray]" in done.stderr
