"""The loop in which every supporting network learns: draw, loss, a step down, now and then a checkpoint; then measure.

A network brings its task: what it draws, its loss, its pictures beside a checkpoint and how it is measured. What is
kept is a moving average of the weights.
"""

import json
import time
from collections.abc import Generator
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor

from ..core.averaged import Averaged
from ..core.checkpoint import load, save
from ..core.options import TrainOptions
from ..core.run import LOG_EVERY, Run, logs

Batch = TypeVar("Batch")
Scores = TypeVar("Scores", covariant=True)


@dataclass(frozen=True, slots=True)
class Usual:
    """What holds where a run is not told otherwise."""

    steps: int
    batch: int  # images a step
    rate: float  # the highest learning rate


class Task(Protocol[Batch, Scores]):
    """What one network learns."""

    kind: str  # of its checkpoints
    usual: Usual
    state: Averaged[Any]

    def configuration(self) -> dict[str, Any]:
        """Return what a checkpoint says beside its weights: the network's own configuration where it has one."""
        configuration: dict[str, Any] = asdict(self.state.network.config)
        return configuration

    def restore(self, kept: dict[str, Any]) -> None:
        """Put a checkpoint back."""
        self.state.restore(kept)

    def draw(self, count: int, step: int) -> Generator[Batch, None, None]:
        """Yield batches of so many images from a step on; every step has its own seeds: a run goes on exactly."""
        ...

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Return the network's losses on a batch, weighted as they are summed."""
        ...

    def write(self, sheet: Path) -> None:
        """Write pictures (PNG) of what the average does, beside a checkpoint; some networks have none to show."""
        return None

    def measure(self, folder: Path, sheet: Path) -> Scores:
        """Measure the average on people never trained on, and write into the run's folder what the run leaves."""
        ...


def teach(task: Task[Batch, Scores], run: Run, options: TrainOptions) -> Scores:
    """Train until the steps or the minutes are used up, then measure."""
    state, usual, count = task.state, task.usual, options.batch or task.usual.batch
    if options.resume:
        task.restore(load(run.last))
    began = time.monotonic(), state.progress

    with run.steps_from(state.step, count), closing(task.draw(count, state.step)) as batches:
        while state.progress < 1 and not run.broken_off:
            batch = next(batches)
            rate = state.rate(options, usual.rate)
            losses = task.loss(batch)
            state.descend(torch.stack(list(losses.values())).sum(), rate)
            state.advance(options, usual.steps, began)
            run.show(state.step, state.progress, losses, usual.steps)
            if logs(state.step, LOG_EVERY):
                found = {name: loss.item() for name, loss in losses.items()}
                pace = run.images_per_second(state.step)
                run.log({"step": state.step, "rate": rate, **found, "images_per_second": pace})
            if state.step % options.save_every == 0 or state.progress >= 1 or run.broken_off:
                save(run.last, state.checkpoint(task.kind, task.configuration()))
                task.write(_sheet(run, state.step))
    return task.measure(run.folder, _sheet(run, state.step))


def write_scores(folder: Path, scores: dict[str, Any]) -> None:
    """Write what a run was measured at."""
    (folder / "scores.json").write_text(json.dumps(scores, indent=1) + "\n")


def _sheet(run: Run, step: int) -> Path:
    return run.folder / "samples" / f"{step:06d}.png"
