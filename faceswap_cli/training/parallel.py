"""Several workers of one run (torchrun): each draws its own batches, gradients are averaged before every step.

All end with the same step: one that went on alone would wait for the others' gradients for ever.
"""

import os

import torch
from torch import distributed, nn


def join_workers(device: torch.device) -> int:
    """Join the workers torchrun started and return this one's rank, 0 for a single process."""
    if int(os.environ.get("WORLD_SIZE", "1")) < 2:
        return 0
    if not distributed.is_initialized():
        distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    if device.type == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    return distributed.get_rank()


def is_first(worker: int) -> bool:
    """Tell whether this worker writes the log, the samples and the checkpoints."""
    return worker == 0


def any_worker(is_so: bool) -> bool:
    """Tell whether something is so for one worker at least; all workers must ask, or those that do wait for ever."""
    if not distributed.is_initialized():
        return is_so
    votes = torch.tensor(float(is_so), device="cuda" if distributed.get_backend() == "nccl" else "cpu")
    distributed.all_reduce(votes, distributed.ReduceOp.MAX)
    return bool(votes)


def average_gradients(network: nn.Module) -> None:
    """Replace every gradient by its mean over the workers; a single process changes nothing."""
    if not distributed.is_initialized():
        return
    workers = distributed.get_world_size()
    for parameter in network.parameters():
        if parameter.grad is not None:
            distributed.all_reduce(parameter.grad)
            parameter.grad /= workers
