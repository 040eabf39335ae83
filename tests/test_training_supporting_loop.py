"""The loop of the supporting networks: what a task is asked, in which order, and what a run leaves."""

from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the [train] extra")

from faceswap_cli.training.core.averaged import Averaged, begin  # noqa: E402
from faceswap_cli.training.core.checkpoint import load  # noqa: E402
from faceswap_cli.training.core.options import TrainOptions  # noqa: E402
from faceswap_cli.training.core.run import LOG_EVERY, Run  # noqa: E402
from faceswap_cli.training.core.sheets import in_rows  # noqa: E402
from faceswap_cli.training.supporting.loop import Task, Usual, teach  # noqa: E402

USUAL = Usual(steps=60, batch=2, rate=0.1)


@dataclass(eq=False)
class Line(Task[float, int]):
    """Learns a number; every batch is the number of its step."""

    state: Averaged[Any]
    kind: str = "line"
    usual: Usual = USUAL
    drawn: list[float] = field(default_factory=list)
    written: list[str] = field(default_factory=list)

    def configuration(self) -> dict[str, Any]:
        return {"widths": (1, 1)}

    def draw(self, count: int, step: int) -> Generator[float, None, None]:
        assert count == 2
        while True:
            self.drawn.append(step)
            yield float(step)
            step += 1

    def loss(self, batch: float) -> dict[str, torch.Tensor]:
        found = self.state.network.weight.sum()
        return {"near": (found - batch).square(), "small": 0.5 * found.square()}

    def write(self, sheet: Path) -> None:
        self.written.append(sheet.name)

    def measure(self, folder: Path, sheet: Path) -> int:
        self.written.append(f"{folder.name}/{sheet.name}")
        return len(self.drawn)


def line() -> Line:
    torch.manual_seed(0)
    return Line(begin(torch.nn.Linear(1, 1, bias=False), torch.device("cpu"), 0.9))


def options(folder: Path, **changes: Any) -> TrainOptions:
    return TrainOptions(data=(), output=folder, save_every=25, device="cpu", **changes)


def test_every_batch_is_drawn_once_and_what_is_left_lies_beside_each_checkpoint(tmp_path: Path) -> None:
    task, told = line(), options(tmp_path / "run")
    assert teach(task, Run(told), told) == 60
    assert task.drawn == list(range(60))
    assert task.written == ["000025.png", "000050.png", "000060.png", "run/000060.png"]
    kept = load(tmp_path / "run" / "last.pt")
    assert (kept["kind"], kept["step"], kept["configuration"]) == ("line", 60, {"widths": [1, 1]})
    header, *rows = (tmp_path / "run" / "log.csv").read_text().splitlines()
    assert header == "step,rate,near,small,images_per_second"
    assert [int(row.split(",")[0]) for row in rows] == [1, *range(LOG_EVERY, 61, LOG_EVERY)]


def test_what_falls_is_the_sum_of_the_losses(tmp_path: Path) -> None:
    """At 2: (2 - 0)^2 + 2^2 / 2 = 6, slope 2 * 2 + 2 = 6; AdamW's first step is the rate, less 0.01 of decay."""
    task = line()
    with torch.no_grad():
        task.state.network.weight.fill_(2.0)
    told = options(tmp_path, steps=1, learning_rate=0.1)
    teach(task, Run(told), told)
    rate = 0.1 / 25  # the first of 25 steps of warm-up
    assert task.state.network.weight.item() == pytest.approx(2 * (1 - 0.01 * rate) - rate, abs=1e-6)


def test_a_run_that_goes_on_draws_on_where_it_stopped(tmp_path: Path) -> None:
    whole, parts = options(tmp_path / "whole"), options(tmp_path / "parts")
    first = line()
    teach(first, Run(whole), whole)

    broken = line()
    broken.write = lambda sheet: (_ for _ in ()).throw(KeyboardInterrupt)  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        teach(broken, Run(parts), parts)
    second, again = line(), options(tmp_path / "parts", resume=True)
    teach(second, Run(again), again)
    assert second.drawn == list(range(25, 60))
    assert torch.equal(first.state.average.weight, second.state.average.weight)


@pytest.mark.parametrize(("count", "lengths"), [(3, [3]), (8, [8]), (17, [8, 8]), (0, [])])
def test_a_grid_leaves_out_what_fills_no_row(count: int, lengths: list[int]) -> None:
    assert [len(row) for row in in_rows([np.zeros(1)] * count, 8)] == lengths
