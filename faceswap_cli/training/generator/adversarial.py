"""What a generator's training and a distillation share beside their steps: plan, checkpoint, log, end.

In both, a network learns against a discriminator, and its moving average is what is measured and exported.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import torch
from torch import Tensor, nn

from ...networks.discriminator import TwoScaleDiscriminator
from ...networks.layers import load_strictly
from ..core.parallel import is_first
from ..core.run import Means, Run, logs
from ..core.settings import DistillSettings, SwapSettings
from ..teachers.identity_judge import IdentityJudge
from ..teachers.spaces import Space
from .measure import NOT_MEASURED

Settings = TypeVar("Settings", SwapSettings, DistillSettings)

WARM_UP = 100  # steps the discriminator trains alone before it counts
SAMPLE = "samples/{:07d}.png"  # sheet of a step


@dataclass(frozen=True, slots=True, eq=False)
class RunPlan(Generic[Settings]):
    """What a run makes, settled before its data are loaded."""

    settings: Settings  # the network's shape among them
    size: int  # side of the training crops
    space: Space  # of the identities
    encoders: list[str]  # that judge, see `encoders.names_of`
    kept: dict[str, Any] | None = None  # the checkpoint it goes on from

    def record(self) -> dict[str, Any]:
        """Return what a checkpoint says of it."""
        about = {"size": self.size, "space": self.space.name, "encoders": self.encoders}
        return {"settings": asdict(self.settings)} | about


@dataclass(slots=True, kw_only=True)
class TrainState:
    """The networks of a run and their optimisers; each kind of run adds those that are its own."""

    kind: ClassVar[str]  # of its checkpoints
    networks: ClassVar[tuple[str, ...]]  # the fields a checkpoint keeps
    optimisers: ClassVar[tuple[str, ...]]  # and these

    average: nn.Module  # moving average of the network that learns: what is measured and exported
    discriminator: TwoScaleDiscriminator
    judge: IdentityJudge
    discriminator_optimiser: torch.optim.Optimizer

    def checkpoint(self, plan: RunPlan[Any], step: int, progress: float) -> dict[str, Any]:
        """Return everything the run needs to go on exactly; what never changes stays where it is."""
        state: dict[str, Any] = {"kind": self.kind, "step": step, "progress": progress} | plan.record()
        return state | {name: getattr(self, name).state_dict() for name in (*self.networks, *self.optimisers)}

    def restore(self, kept: dict[str, Any]) -> tuple[int, float]:
        """Put a checkpoint back and return its step and which share of its run was done.

        Raises WeightsError for networks of another shape.
        """
        for name in self.networks:
            load_strictly(getattr(self, name), kept[name])
        for name in self.optimisers:
            getattr(self, name).load_state_dict(kept[name])
        return kept["step"], kept.get("progress", 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """Shows a run's steps, logs them, and keeps the run; the first of several workers does."""

    run: Run
    worker: int
    save_every: int  # steps
    steps: int  # of a run that was told neither steps nor minutes
    means: Means
    measure: Callable[[Path], dict[str, float]]  # draws a sheet at the path and returns the measures of a row
    checkpoint: Callable[[int, float], dict[str, Any]]  # of a step, and the share of the run that is done
    unmeasured: Mapping[str, float] = field(default_factory=lambda: NOT_MEASURED)  # what a row has without measures

    def add(self, step: int, progress: float, losses: dict[str, Tensor]) -> None:
        """Take down a step that is done, by its number from 1 on."""
        self.means.add(losses)
        if not is_first(self.worker):
            return
        self.run.show(step, progress, losses, self.steps)
        if step % self.save_every == 0:
            self._measured(step, progress)
        elif logs(step, self.save_every):
            self._log(step, self.unmeasured)

    def end(self, step: int, progress: float) -> None:
        """Keep the run as it ended, measured where it was not yet: somebody who broke it off does not wait for that."""
        if not is_first(self.worker):
            return
        if self.run.broken_off or step % self.save_every == 0:
            self.run.keep(self.checkpoint(step, progress))
        else:
            self._measured(step, progress)

    def _measured(self, step: int, progress: float) -> None:
        """Measure the run, log it and keep it."""
        row = self.measure(self.run.folder / SAMPLE.format(step))
        self._log(step, row)
        self.run.keep(self.checkpoint(step, progress), row["score"])

    def _log(self, step: int, measures: Mapping[str, float]) -> None:
        pace = self.run.images_per_second(step)
        self.run.log({"step": step, "images_per_second": pace, **measures, **self.means.take()})
