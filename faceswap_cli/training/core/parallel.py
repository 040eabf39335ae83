"""Several workers of one run (torchrun): each draws its own batches, gradients are averaged before every step.

All begin with the same weights, as their networks are made from the same seed, and keep the same, as their gradients
are. All end with the same step: one that went on alone would wait for the others' gradients for ever.
"""

import os

import torch
from torch import Tensor, distributed, nn


def join_workers(device: torch.device) -> int:
    """Join the workers torchrun started and return this one's rank, 0 for a single process."""
    if not several():
        return 0
    if not distributed.is_initialized():
        distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    if device.type == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    return distributed.get_rank()


def several() -> bool:
    """Tell whether torchrun started more than one worker."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def here() -> tuple[int, int]:
    """Return which of the workers on this machine this one is, and how many there are."""
    return int(os.environ.get("LOCAL_RANK", "0")), int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def is_first(worker: int) -> bool:
    """Tell whether this worker writes the log, the samples and the checkpoints."""
    return worker == 0


def largest(value: float) -> float:
    """Return the largest of the workers' numbers to all; all must ask, or those that do wait for ever."""
    if not distributed.is_initialized():
        return value
    device = "cuda" if distributed.get_backend() == "nccl" else "cpu"
    votes = torch.tensor(value, dtype=torch.float64, device=device)
    distributed.all_reduce(votes, distributed.ReduceOp.MAX)
    return float(votes)


@torch.no_grad()
def mean_of_workers(value: Tensor) -> Tensor:
    """Return the mean of the workers' values to all: what a loss of one worker's rows is a share of."""
    if not distributed.is_initialized():
        return value
    total = value.detach().to(torch.float32, copy=True)
    distributed.all_reduce(total)
    return total / distributed.get_world_size()


def average_gradients(network: nn.Module) -> None:
    """Replace every gradient by its mean over the workers; a single process changes nothing."""
    if not distributed.is_initialized():
        return
    workers = distributed.get_world_size()
    for parameter in network.parameters():
        if parameter.grad is not None:
            distributed.all_reduce(parameter.grad)
            parameter.grad /= workers
