"""A supporting network in training, the moving average of its weights that is kept, and what a checkpoint holds."""

import time
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Generic

import torch
from torch import Tensor, nn

from .options import TrainOptions
from .parallel import average_gradients, largest
from .run import Network, channels_last, cosine_rate, set_rate, share_done, update_average

PARTS = ("network", "average", "optimiser")


@dataclass(slots=True, eq=False)
class Averaged(Generic[Network]):
    """All that changes while training."""

    network: Network
    average: Network
    optimiser: torch.optim.Optimizer
    decay: float  # of the average, once it has seen enough steps
    step: int = 0
    progress: float = 0.0  # share of the run that is done, 0..1: sets the learning rate
    steepest: float = 5.0  # norm to which gradients are clipped

    def rate(self, options: TrainOptions, usual: float) -> float:
        """Return the learning rate of the next step, from the one the run is told or the network's usual one."""
        return (options.learning_rate or usual) * cosine_rate(round(self.progress * 1000), 1000, warm_up=25)

    def advance(self, options: TrainOptions, steps: int, began: tuple[float, float]) -> None:
        """Count a step of a run of `steps` by default; `began` is the clock and the progress this start began with."""
        self.step += 1
        clock, progress = began
        spent = largest((time.monotonic() - clock) / 60) if options.minutes is not None else 0.0
        self.progress = share_done(options, self.step, options.steps or steps, spent, progress)

    def descend(self, loss: Tensor, rate: float) -> None:
        """Do one step of the optimiser and of the average, with gradients averaged over the workers and clipped."""
        set_rate(self.optimiser, rate)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        average_gradients(self.network)
        nn.utils.clip_grad_norm_(self.network.parameters(), self.steepest)
        self.optimiser.step()
        update_average(self.average, self.network, min(self.decay, (1 + self.step) / (10 + self.step)))

    def checkpoint(self, kind: str, configuration: dict[str, Any]) -> dict[str, Any]:
        """Return everything the run needs to go on exactly."""
        parts = {name: getattr(self, name).state_dict() for name in PARTS}
        shape = {name: list(value) if isinstance(value, tuple) else value for name, value in configuration.items()}
        return {"kind": kind, "configuration": shape, "step": self.step, "progress": self.progress, **parts}

    def restore(self, kept: dict[str, Any]) -> None:
        """Put a checkpoint back."""
        for name in PARTS:
            getattr(self, name).load_state_dict(kept[name])
        self.step, self.progress = kept["step"], kept["progress"]


def fields_of(configuration: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration as its record takes it: with tuples where JSON and `checkpoint` have lists."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in configuration.items()}


def begin(network: Network, device: torch.device, decay: float) -> Averaged[Network]:
    """Return a network at its start, its average the same."""
    network = channels_last(network.to(device))
    average = deepcopy(network).requires_grad_(False).eval()
    return Averaged(network, average, torch.optim.AdamW(network.parameters(), weight_decay=1e-2), decay)
