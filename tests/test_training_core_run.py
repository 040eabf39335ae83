"""What every run shares: when its minutes are used up, what it draws, and in what it computes."""

import importlib.util
import math
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="training needs the [train] extra")

from faceswap_cli.cli.terminal import Terminal  # noqa: E402
from faceswap_cli.cli.train import told_of  # noqa: E402
from faceswap_cli.errors import UsageError  # noqa: E402
from faceswap_cli.training.core.checkpoint import load  # noqa: E402
from faceswap_cli.training.core.options import TrainOptions  # noqa: E402
from faceswap_cli.training.core.run import (  # noqa: E402
    Means,
    Run,
    autocast,
    best_of,
    descend,
    draws_of,
    logs,
    rate_factor,
    seed_step,
    update_average,
)

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


SHARED_STEP = """
import torch
from faceswap_cli.training.core.parallel import join_workers
from faceswap_cli.training.core.run import descend

worker = join_workers(torch.device("cpu"))
network = torch.nn.Linear(3, 2)
network.load_state_dict({"weight": torch.arange(6.0).reshape(2, 3) / 10, "bias": torch.zeros(2)})
mine = (torch.arange(48.0).reshape(16, 3) / 48)[8 * worker : 8 * worker + 8]
descend({"square": network(mine).square().mean()}, network, torch.optim.SGD(network.parameters(), lr=0.1))
print(*(f"{value:.5f}" for value in network.weight.flatten().tolist()))
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
    now += 30  # measuring
    assert math.isnan(run.images_per_second(5150))


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


@pytest.fixture
def usual_signals() -> Iterator[None]:
    """SIGINT and SIGTERM as a terminal's process has them: not so behind `&`, nor once Ray was used."""
    before = {
        number: signal.signal(number, usual)
        for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGTERM, signal.SIG_DFL))
    }
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("usual_signals")
def test_ctrl_c_waits_for_the_step_at_work_and_acts_at_once_the_second_time(tmp_path: Path) -> None:
    run, done = Run(TrainOptions(data=(), output=tmp_path)), []
    with pytest.raises(KeyboardInterrupt), run.steps_from(0, 16):
        signal.raise_signal(signal.SIGINT)
        done.append("the step, and what keeps it")
        assert run.broken_off and run.out_of_time()
    assert done
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    again = Run(TrainOptions(data=(), output=tmp_path))
    with pytest.raises(KeyboardInterrupt), again.steps_from(0, 16):
        for _ in range(2):
            signal.raise_signal(signal.SIGTERM)
        done.append("too late")
    assert len(done) == 1
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.usefixtures("usual_signals")
def test_ctrl_c_stays_ignored_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as nohup does
    try:
        run = Run(TrainOptions(data=(), output=tmp_path))
        with run.steps_from(0, 16):
            signal.raise_signal(signal.SIGINT)
            assert not run.broken_off
        monkeypatch.setenv("WORLD_SIZE", "2")  # of several workers none ends by itself
        with run.steps_from(0, 16):
            assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGINT, before)


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
        seed_step(TrainOptions(data=(), seed=seed), worker, step)
        return float(draws_of(seed, worker, step).random()), float(torch.rand(()))

    places = [(seed, worker, step) for seed in (0, 1) for worker in (0, 1) for step in (0, 1, 850)]
    first = [drawn(*place) for place in places]
    assert [drawn(*place) for place in reversed(places)] == first[::-1]
    assert all(len(set(numbers)) == len(places) for numbers in zip(*first, strict=True))


def rows_of(folder: Path) -> list[str]:
    return (folder / "log.csv").read_text().splitlines()


def test_a_log_has_the_columns_of_its_first_row_whoever_goes_on(tmp_path: Path) -> None:
    run = Run(TrainOptions(data=(), output=tmp_path))
    run.log({"step": 1, "light": 0.25, "score": math.nan})
    run.log({"score": 0.5, "step": 4})
    Run(TrainOptions(data=(), output=tmp_path)).log({"step": 8, "light": 0.125, "new": 7.0, "score": 0.75})
    assert rows_of(tmp_path) == ["step,light,score", "1,0.25,nan", "4,nan,0.5", "8,0.125,0.75"]


def test_the_first_step_every_fiftieth_and_all_that_are_saved_are_logged() -> None:
    assert [step for step in range(1, 121) if logs(step, 40)] == [1, 40, 50, 80, 100, 120]


def test_the_best_checkpoint_is_the_one_of_the_highest_score(tmp_path: Path) -> None:
    for step, score in ((1, 0.5), (2, 0.75), (3, 0.625), (4, math.nan), (5, None)):  # each by a start of its own
        Run(TrainOptions(data=(), output=tmp_path, resume=True)).keep({"step": step}, score)
    assert (load(tmp_path / "last.pt")["step"], load(tmp_path / "best.pt")["step"]) == (5, 2)
    assert best_of(tmp_path) == {"step": 2, "score": 0.75}
    (tmp_path / "best.pt").unlink()
    assert best_of(tmp_path) == {}


def test_a_training_ends_by_saying_what_it_made_and_what_comes_next(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert told_of(tmp_path, Terminal()) == {}
    run = Run(TrainOptions(data=(), output=tmp_path))
    run.keep({"step": 250})
    assert told_of(tmp_path, Terminal()) == {"last": tmp_path / "last.pt"}
    run.keep({"step": 500}, 0.75)
    run.keep({"step": 600})
    assert told_of(tmp_path, Terminal()) == {name: tmp_path / f"{name}.pt" for name in ("last", "best")}
    assert capsys.readouterr().err.splitlines() == [
        f"{tmp_path} holds last.pt",
        f"next: faceswap export {tmp_path} --output mine.onnx",
        f"{tmp_path} holds last.pt and best.pt, of step 500, which scored best",
        f"next: faceswap export {tmp_path / 'best.pt'} --output mine.onnx",
    ]


def test_a_run_tells_twice_a_second_how_fast_it_is_and_how_long_it_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, moments = 1000.0, []
    monkeypatch.setattr(time, "monotonic", lambda: now)
    run = Run(TrainOptions(data=(), output=tmp_path, steps=40, watch=moments.append))
    run.start(10, 16)
    for step in range(11, 21):
        now += 0.25
        run.show(step, step / 40, {"light": torch.tensor(0.5)})
    assert [moment.done for moment in moments] == [12, 14, 16, 18, 20]
    assert moments[-1].images_per_second == pytest.approx(64)
    assert (moments[0].seconds_left, moments[-1].seconds_left) == (None, pytest.approx(5))
    assert (moments[-1].total, moments[-1].losses) == (40, {"light": 0.5})


def test_tensorboard_is_written_or_its_extra_named(tmp_path: Path) -> None:
    options = TrainOptions(data=(), output=tmp_path, tensorboard=True)
    if importlib.util.find_spec("tensorboard") is None:
        with pytest.raises(UsageError, match="tensorboard"):
            Run(options)
        return
    Run(options).log({"step": 3, "light": 0.25})
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [(event.step, event.value) for event in events.Scalars("light")] == [(3, 0.25)]


def test_two_workers_take_the_step_of_one_with_both_their_batches(tmp_path: Path) -> None:
    one = torch.nn.Linear(3, 2)
    one.load_state_dict({"weight": torch.arange(6.0).reshape(2, 3) / 10, "bias": torch.zeros(2)})
    optimiser = torch.optim.SGD(one.parameters(), lr=0.1)
    whole = torch.arange(48.0).reshape(16, 3) / 48
    descend({"square": one(whole).square().mean()}, one, optimiser)
    wanted = [f"{value:.5f}" for value in one.weight.flatten().tolist()]
    assert run_two_workers(SHARED_STEP, tmp_path) == [" ".join(wanted) + "\n"] * 2


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
