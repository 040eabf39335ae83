"""What every run shares: when its minutes are used up, and in what it computes."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="training needs the [train] extra")

from faceswap_cli.training.options import TrainOptions  # noqa: E402
from faceswap_cli.training.run import Run, autocast  # noqa: E402

LATE_WORKER = """
import sys, time
from pathlib import Path
import torch
from faceswap_cli.training.options import TrainOptions
from faceswap_cli.training.parallel import join_workers
from faceswap_cli.training.run import Run

worker = join_workers(torch.device("cpu"))
run = Run(TrainOptions(data=(), output=Path(sys.argv[1]), minutes=1))
run.start(0, 16)
began = run.out_of_time()
passed = 61 * worker  # seconds: only the second worker's minute is over
clock = time.monotonic
time.monotonic = lambda: clock() + passed
print(began, run.out_of_time())
"""


def test_minutes_count_from_the_first_step_not_from_loading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    run = Run(TrainOptions(data=(), output=tmp_path, minutes=10))
    now += 3600  # loading
    run.start(0, 16)
    assert not run.out_of_time()
    now += 599
    assert not run.out_of_time()
    now += 1
    assert run.out_of_time()


def test_the_pace_is_that_of_the_steps_since_the_start_whatever_went_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    run = Run(TrainOptions(data=(), output=tmp_path))
    now += 600  # loading
    run.start(5000, 16)
    now += 10
    assert run.images_per_second(5050) == pytest.approx(80)
    now += 20
    assert run.images_per_second(5150) == pytest.approx(80)


def test_without_minutes_there_is_no_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(TrainOptions(data=(), output=tmp_path))
    assert not run.out_of_time()
    monkeypatch.setattr(time, "monotonic", lambda: 1e12)
    assert not run.out_of_time()


def test_workers_whose_clocks_differ_end_together(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = os.environ | {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", LATE_WORKER, str(tmp_path)],
            env=shared | {"RANK": str(rank)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    assert [worker.communicate(timeout=120)[0] for worker in workers] == ["False True\n"] * 2


@pytest.mark.parametrize("can", [True, False])
def test_bfloat16_is_not_imitated(can: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: can)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    with autocast(torch.device("cpu")):
        result = torch.nn.Conv2d(3, 4, 3)(torch.rand(1, 3, 8, 8))
    assert result.dtype == (torch.bfloat16 if can else torch.float32)
