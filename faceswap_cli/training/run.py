"""What every training run shares: its folder, its log, its device, its learning-rate schedule, its end."""

import csv
import math
import random
import time
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from ..errors import OutputError, UsageError
from .checkpoint import LAST
from .options import TrainOptions
from .parallel import any_worker, average_gradients

Network = TypeVar("Network", bound=nn.Module)


class Run:
    """The folder of a run, its log and its clock."""

    def __init__(self, options: TrainOptions) -> None:
        self.folder = options.output
        self.last = self.folder / LAST
        if self.last.exists() and not options.resume:
            raise OutputError(f"{self.folder} already holds a run: give --resume to go on or another --output")
        try:
            (self.folder / "samples").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{self.folder} cannot be made ({error.strerror}): choose another --output") from error
        self._minutes = options.minutes
        self.start(0, 0)

    def start(self, step: int, batch: int) -> None:
        """Start the clock at a step of so many images; loading does not count."""
        now = time.monotonic()
        self._deadline = None if self._minutes is None else now + 60 * self._minutes
        self._mark, self._batch = (now, step), batch

    def out_of_time(self) -> bool:
        """Tell whether the run's minutes are used up, to all workers alike."""
        return self._deadline is not None and any_worker(time.monotonic() >= self._deadline)

    def images_per_second(self, step: int) -> float:
        """Return the pace since the last call, or since the start."""
        now = time.monotonic()
        then, before = self._mark
        self._mark = (now, step)
        return (step - before) * self._batch / max(now - then, 1e-9)

    def log(self, row: dict[str, float]) -> None:
        """Append one row to log.csv; the first row's keys are its columns."""
        path = self.folder / "log.csv"
        new = not path.exists()
        with path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, row.keys())
            if new:
                writer.writeheader()
            writer.writerow({key: f"{value:.5g}" for key, value in row.items()})


def start_torch(options: TrainOptions) -> torch.device:
    """Seed everything, set the threads and return the device a run is told to use."""
    random.seed(options.seed)
    torch.manual_seed(options.seed)
    torch.set_flush_denormal(True)  # activations near zero are denormal numbers, which CPUs multiply slowly
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    cuda = torch.cuda.is_available()
    if options.device == "cuda" and not cuda:
        raise UsageError("--device cuda, but torch sees no CUDA device: use --device cpu or install torch's CUDA build")
    return torch.device("cuda" if cuda and options.device != "cpu" else "cpu")


def channels_last(network: Network) -> Network:
    """Order the weights as convolutions run fastest with, in place."""
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub lacks the word


def autocast(device: torch.device) -> torch.autocast:
    """Compute convolutions in bfloat16 where the device can: twice as fast, no loss scaling needed.

    On a CPU without it (neither AVX-512 BF16 nor AMX) it is imitated, at a third of the speed of float32.
    """
    can = device.type != "cpu" or torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.autocast(device.type, torch.bfloat16, enabled=can)


def cosine_rate(step: int, steps: int, warm_up: int = 200) -> float:
    """Return the learning rate's factor: linear to 1 over `warm_up` steps, then a cosine to 0.01 at `steps`."""
    if step < warm_up:
        return (step + 1) / warm_up
    share = min(1.0, (step - warm_up) / max(1, steps - warm_up))
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * share))


def share_done(options: TrainOptions, step: int, steps: int, minutes: float, before: float) -> float:
    """Return the share of a run that is done: by steps, or by the minutes of this start, whichever is further."""
    if options.minutes is None:
        return step / steps
    by_time = before + (1 - before) * minutes / options.minutes
    return max(by_time, step / options.steps) if options.steps else by_time


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of every group."""
    for group in optimiser.param_groups:
        group["lr"] = rate


def descend(losses: dict[str, Tensor], network: nn.Module, optimiser: torch.optim.Optimizer) -> None:
    """Take one step down the sum of the losses, with gradients averaged over the workers and clipped."""
    optimiser.zero_grad(set_to_none=True)
    torch.stack([loss.float() for loss in losses.values()]).sum().backward()
    average_gradients(network)
    nn.utils.clip_grad_norm_(network.parameters(), 5.0)
    optimiser.step()


@torch.no_grad()
def update_average(average: nn.Module, network: nn.Module, decay: float) -> None:
    """Move an exponential moving average of the parameters one step; buffers are copied."""
    for mean, value in zip(average.parameters(), network.parameters(), strict=True):
        mean.lerp_(value.detach(), 1 - decay)
    for kept, buffer in zip(average.buffers(), network.buffers(), strict=True):
        kept.copy_(buffer)


def write_sheet(path: Path, rows: list[list[np.ndarray]]) -> None:
    """Write pictures of one size, uint8 RGB, as a PNG grid."""
    sheet = np.concatenate([np.concatenate(row, axis=1) for row in rows], axis=0)
    cv2.imwrite(str(path), sheet[..., ::-1])
