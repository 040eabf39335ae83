"""What every run shares: when its minutes are used up, what it draws, and in what it computes."""

import math
import time
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="training needs the [train] extra")

from faceswap_cli.errors import UsageError  # noqa: E402
from faceswap_cli.training.core.options import TrainOptions  # noqa: E402
from faceswap_cli.training.core.run import Means, Run, autocast, descend, rate_factor, seed_step, update_average  # noqa: E402

from .conftest import run_two_workers  # noqa: E402

LATE_WORKER = """
import sys, time
from pathlib import Path
import torch
from faceswap_cli.training.core.options import TrainOptions
from faceswap_cli.training.core.parallel import join_workers
from faceswap_cli.training.core.run import Run

worker = join_workers(torch.device("cpu"))
run = Run(TrainOptions(data=(), output=Path(sys.argv[1]), minutes=1))
run.start(0, 16)
began = run.out_of_time(), round(run.progress(1, 5000), 1)
passed = 61 * worker  # seconds: only the second worker's minute is over
clock = time.monotonic
time.monotonic = lambda: clock() + passed
print(*began, run.out_of_time(), run.progress(1, 5000))
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


def test_a_run_told_its_minutes_alone_does_not_end_with_the_usual_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    run = Run(TrainOptions(data=(), output=tmp_path, minutes=600))
    run.start(0, 16)
    now += 60 * 300
    assert run.progress(step=50_000, usual=5000) == pytest.approx(0.5)
    now += 60 * 300
    assert run.progress(step=99_000, usual=5000) == 1
    run.start(50_000, 16, done=0.5)  # what is left gets the minutes of the new start
    assert run.progress(50_000, 5000) == pytest.approx(0.5)
    now += 60 * 300
    assert run.progress(50_000, 5000) == pytest.approx(0.75)


def test_a_run_told_its_steps_goes_by_them_whatever_its_minutes(tmp_path: Path) -> None:
    run = Run(TrainOptions(data=(), output=tmp_path, minutes=1, steps=200))
    assert run.progress(50, 5000) == 0.25
    assert Run(TrainOptions(data=(), output=tmp_path / "usual")).progress(50, 5000) == 0.01


def test_a_finished_run_says_how_to_go_on(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--init-from .*last\.pt"):
        Run(TrainOptions(data=(), output=tmp_path / "a", minutes=1)).start(70, 16, done=1.0)
    with pytest.raises(UsageError, match="finished"):
        Run(TrainOptions(data=(), output=tmp_path / "b", steps=70)).start(70, 16, done=1.0)
    Run(TrainOptions(data=(), output=tmp_path / "c", steps=80)).start(70, 16, done=1.0)


def test_the_learning_rate_rises_then_falls_as_a_cosine() -> None:
    assert rate_factor(0, 0.0) == 1 / 200
    assert rate_factor(99, 0.01) == 0.5
    assert rate_factor(5000, 0.0) == 1
    assert rate_factor(5000, 0.5) == pytest.approx(0.505)
    assert rate_factor(5000, 1.0) == pytest.approx(0.01)


def test_every_step_of_every_worker_draws_its_own_numbers_and_always_the_same() -> None:
    def drawn(seed: int, worker: int, step: int) -> tuple[float, float]:
        generator = seed_step(TrainOptions(data=(), seed=seed), worker, step)
        return float(generator.random()), float(torch.rand(()))

    places = [(seed, worker, step) for seed in (0, 1) for worker in (0, 1) for step in (0, 1, 850)]
    first = [drawn(*place) for place in places]
    assert [drawn(*place) for place in reversed(places)] == first[::-1]
    assert all(len(set(numbers)) == len(places) for numbers in zip(*first, strict=True))


def test_a_loss_that_only_some_steps_have_is_the_mean_of_those() -> None:
    means = Means(("identity", "reconstruction", "expression"))
    for step in range(4):
        losses = {"identity": torch.tensor(float(step))}
        means.add(losses | ({"reconstruction": torch.tensor(5.0 + step)} if step % 2 == 0 else {}))
    row = means.take()
    assert (row["identity"], row["reconstruction"]) == (1.5, 6.0)
    assert math.isnan(row["expression"])
    assert math.isnan(means.take()["identity"])


def test_the_average_follows_slowly() -> None:
    average, network = torch.nn.Linear(1, 1), torch.nn.Linear(1, 1)
    torch.nn.init.constant_(average.weight, 1.0)
    torch.nn.init.constant_(network.weight, 3.0)
    update_average(average, network, 0.9)
    assert average.weight.item() == pytest.approx(0.9 * 1 + 0.1 * 3)


def test_buffers_of_the_average_are_the_networks() -> None:
    average, network = torch.nn.BatchNorm1d(2), torch.nn.BatchNorm1d(2)
    network.running_mean.fill_(5.0)
    update_average(average, network, 0.9)
    assert average.running_mean.tolist() == [5.0, 5.0]


def test_a_step_goes_down_the_sum_of_the_losses_and_its_gradient_is_clipped_to_five() -> None:
    network = torch.nn.Linear(2, 1, bias=False)
    torch.nn.init.constant_(network.weight, 1.0)
    optimiser = torch.optim.SGD(network.parameters(), lr=1.0)
    one, other = network(torch.tensor([[1.0, 0.0]])).sum(), network(torch.tensor([[0.0, 1.0]])).sum()
    descend({"one": 0.5 * one, "other": 0.25 * other}, network, optimiser)
    torch.testing.assert_close(network.weight.data, torch.tensor([[0.5, 0.75]]))
    descend({"steep": 30 * network(torch.tensor([[1.0, 0.0]])).sum()}, network, optimiser)
    torch.testing.assert_close(network.weight.data, torch.tensor([[0.5 - 5, 0.75]]))


def test_workers_whose_clocks_differ_end_together(tmp_path: Path) -> None:
    assert run_two_workers(LATE_WORKER, tmp_path) == ["False 0.0 True 1.0\n"] * 2


@pytest.mark.parametrize("can", [True, False])
def test_bfloat16_is_not_imitated(can: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: can)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    with autocast(torch.device("cpu")):
        result = torch.nn.Conv2d(3, 4, 3)(torch.rand(1, 3, 8, 8))
    assert result.dtype == (torch.bfloat16 if can else torch.float32)
