"""What two trainings share: who logs and keeps a run, when, and what a checkpoint must fit."""

import csv
import math
import signal
from dataclasses import dataclass
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from faceswap_cli.errors import WeightsError  # noqa: E402
from faceswap_cli.networks.discriminator import DiscriminatorConfig, TwoScaleDiscriminator  # noqa: E402
from faceswap_cli.networks.mobilefacenet import MobileFaceNet  # noqa: E402
from faceswap_cli.training.core import checkpoint  # noqa: E402
from faceswap_cli.training.core.options import TrainOptions  # noqa: E402
from faceswap_cli.training.core.run import Means, Run  # noqa: E402
from faceswap_cli.training.core.settings import SwapSettings  # noqa: E402
from faceswap_cli.training.generator.adversarial import Journal, RunPlan, TrainState  # noqa: E402
from faceswap_cli.training.generator.measure import NOT_MEASURED  # noqa: E402
from faceswap_cli.training.teachers.identity_judge import IdentityJudge  # noqa: E402
from faceswap_cli.training.teachers.spaces import OURS  # noqa: E402


def journal_of(folder: Path, worker: int = 0) -> Journal:
    """A journal that saves every second step; a measured step's score is what its sheet is numbered."""
    run = Run(TrainOptions(data=(folder,), output=folder / "run"))
    run.start(0, 1)
    return Journal(
        run=run,
        worker=worker,
        save_every=2,
        steps=4,
        means=Means(("loss", "rare")),
        measure=lambda sheet: NOT_MEASURED | {"score": float(sheet.stem)},
        checkpoint=lambda step, progress: {"step": step, "progress": progress},
    )


def test_the_first_step_and_those_that_are_saved_are_logged_with_the_means_between(tmp_path: Path) -> None:
    journal = journal_of(tmp_path)
    for step in range(1, 5):
        journal.add(step, step / 4, {"loss": torch.tensor(float(step))})
    with (tmp_path / "run" / "log.csv").open(newline="") as file:
        rows = [
            (int(row["step"]), float(row["loss"]), float(row["score"]), row["rare"]) for row in csv.DictReader(file)
        ]
    assert [(step, loss) for step, loss, _, _ in rows] == [(1, 1.0), (2, 2.0), (4, 3.5)]
    assert math.isnan(rows[0][2])
    assert [score for _, _, score, _ in rows[1:]] == [2.0, 4.0]
    assert {rare for _, _, _, rare in rows} == {"nan"}


def test_the_last_and_the_best_checkpoint_are_kept(tmp_path: Path) -> None:
    journal = journal_of(tmp_path)
    for step in (1, 2, 3):
        journal.add(step, step / 4, {})
    assert checkpoint.load(tmp_path / "run" / "last.pt") == {"step": 2, "progress": 0.5}
    assert journal.run.best() == {"step": 2, "score": 2.0}
    journal.end(3, 0.75)  # measured as it ends: no step of it is left out of the choice
    assert checkpoint.load(tmp_path / "run" / "last.pt") == {"step": 3, "progress": 0.75}
    assert journal.run.best() == {"step": 3, "score": 3.0}
    rows = (tmp_path / "run" / "log.csv").read_text().splitlines()
    journal.end(4, 1.0)  # which was measured when it was saved
    assert checkpoint.load(tmp_path / "run" / "last.pt") == {"step": 4, "progress": 1.0}
    assert (tmp_path / "run" / "log.csv").read_text().splitlines() == rows


def test_a_run_that_is_broken_off_is_kept_without_being_measured(tmp_path: Path) -> None:
    journal = journal_of(tmp_path)
    with pytest.raises(KeyboardInterrupt), journal.run.steps_from(0, 1):
        journal.add(1, 0.25, {"loss": torch.ones(())})
        assert not journal.run.out_of_time()
        signal.raise_signal(signal.SIGTERM)
        assert journal.run.out_of_time()  # the step that is at work ends before
        journal.end(1, 0.25)
    assert checkpoint.load(tmp_path / "run" / "last.pt") == {"step": 1, "progress": 0.25}
    assert journal.run.best() == {}
    assert len((tmp_path / "run" / "log.csv").read_text().splitlines()) == 2


def test_another_worker_writes_nothing(tmp_path: Path) -> None:
    journal = journal_of(tmp_path, worker=1)
    journal.add(2, 0.5, {"loss": torch.ones(())})
    journal.end(2, 0.5)
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["samples"]


@dataclass(slots=True, kw_only=True)
class LinearState(TrainState):
    """The smallest training there could be."""

    kind = "linear"
    networks = ("network", "discriminator")
    optimisers = ("optimiser", "discriminator_optimiser")

    network: nn.Linear
    optimiser: torch.optim.Optimizer


def state_of(width: int, seed: int) -> LinearState:
    torch.manual_seed(seed)
    network, discriminator = nn.Linear(2, width), TwoScaleDiscriminator(DiscriminatorConfig(width=4))
    return LinearState(
        network=network,
        average=network,
        discriminator=discriminator,
        judge=IdentityJudge([MobileFaceNet()], 96),
        optimiser=torch.optim.Adam(network.parameters()),
        discriminator_optimiser=torch.optim.Adam(discriminator.parameters()),
    )


def test_a_checkpoint_says_what_it_is_of_and_is_put_back_whole() -> None:
    plan = RunPlan(SwapSettings(identity=3.0), 96, OURS, ["one"])
    before, after = state_of(3, seed=1), state_of(3, seed=2)
    before.network(torch.ones(1, 2)).sum().backward()
    before.optimiser.step()
    kept = before.checkpoint(plan, 7, 0.25)
    assert (kept["kind"], kept["size"], kept["space"], kept["encoders"]) == ("linear", 96, OURS.name, ["one"])
    assert kept["settings"]["identity"] == 3.0
    assert after.restore(kept) == (7, 0.25)
    for one, other in zip(before.network.parameters(), after.network.parameters(), strict=True):
        assert torch.equal(one, other)
    assert after.optimiser.state_dict()["state"][0]["step"] == 1


def test_a_checkpoint_of_another_shape_is_refused() -> None:
    kept = state_of(3, seed=1).checkpoint(RunPlan(SwapSettings(), 96, OURS, []), 1, 0.0)
    with pytest.raises(WeightsError, match="do not fit Linear"):
        state_of(4, seed=1).restore(kept)
