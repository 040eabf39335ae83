"""Read the batches of a run ahead of its steps, in processes of their own where that pays.

What a step draws follows from its number alone (`run.draws_of`), so whoever reads it, and however far ahead, a run that
is resumed sees the pictures it would have seen.
"""

import signal
from collections.abc import Callable, Generator, Iterator
from itertools import count
from typing import Any, TypeVar

import cv2
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from ...errors import FaceSwapError
from .parallel import here
from .workers import cores

Loaded = TypeVar("Loaded")

MOST = 8  # processes by default
AHEAD = 2  # batches each of them has ready


def usual_readers(device: torch.device) -> int:
    """Return how many processes read for one worker of a run: none on a CPU, where they would take its cores."""
    if device.type == "cpu":
        return 0
    return max(1, min(MOST, cores() // here()[1] - 1))


def read_ahead(
    read: Callable[[int], Loaded], first: int, readers: int | None, device: torch.device
) -> Generator[Loaded, None, None]:
    """Yield `read(step)` for every step from `first` on: NamedTuples of tensors, in memory a GPU can copy from."""
    readers = usual_readers(device) if readers is None else readers
    if readers == 0:
        yield from map(read, count(first))
        return
    loader: DataLoader[Any] = DataLoader(
        _Steps(read),
        batch_size=None,  # what is read is a batch already
        sampler=_From(first),
        num_workers=readers,
        prefetch_factor=AHEAD,
        pin_memory=device.type == "cuda",
        worker_init_fn=_begin,
    )
    for read_by_another in loader:
        if isinstance(read_by_another, FaceSwapError):
            raise read_by_another
        yield read_by_another


class _Steps(Dataset[Any]):
    """The batches of a run by the numbers of their steps."""

    def __init__(self, read: Callable[[int], Any]) -> None:
        self._read = read

    def __getitem__(self, step: int) -> Any:
        try:
            return self._read(step)
        except FaceSwapError as error:
            return error  # raised by `read_ahead`: torch would make pages of its one line


class _From(Sampler[int]):
    """Every number from one on."""

    def __init__(self, first: int) -> None:
        self._first = first

    def __iter__(self) -> Iterator[int]:
        return count(self._first)


def _begin(number: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the run's to answer, behind the step it is at
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
