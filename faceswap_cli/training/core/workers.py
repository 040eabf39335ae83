"""Spread work over processes: results come in the order of the work, and only so much of it is under way at a time."""

import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Any, TypeVar

import cv2

from ...errors import FaceSwapError

Item = TypeVar("Item")
Result = TypeVar("Result")

AHEAD = 4  # items under way or waiting for their turn, for each process

_start: Callable[[], Callable[[Any], Any]] | None = None  # of a worker process
_work: Callable[[Any], Any] | None = None  # what it gave


def spread(
    start: Callable[[], Callable[[Item], Result]], items: Iterable[Item], processes: int
) -> Iterator[tuple[Item, Result]]:
    """Yield each item with its result; `start` gives every process the function that does the work.

    One process works in this one. `start` must be known by name to another process, or a `partial` of such. Raises
    FaceSwapError where a process was killed.
    """
    if processes == 1:
        work = start()
        yield from ((item, work(item)) for item in items)
        return
    # started afresh: a forked process may not use the threads of networks its parent opened
    pool = ProcessPoolExecutor(processes, get_context("spawn"), _begin, (start,))
    under_way: deque[tuple[Item, Future[Result]]] = deque()
    try:
        for item in items:
            under_way.append((item, pool.submit(_do, item)))
            if len(under_way) == AHEAD * processes:
                yield _finished(*under_way.popleft())
        while under_way:
            yield _finished(*under_way.popleft())
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def cores() -> int:
    """Return how many cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)  # Linux alone knows
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


def _finished(item: Item, future: "Future[Result]") -> tuple[Item, Result]:
    try:
        return item, future.result()
    except BrokenProcessPool as error:
        raise FaceSwapError(
            "a worker process was ended from outside, for want of memory say: the same command with fewer "
            "workers goes on where this one stopped"
        ) from error


def _begin(start: Callable[[], Callable[[Any], Any]]) -> None:
    global _start
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the first process's to answer, once
    cv2.setNumThreads(1)
    _start = start


def _do(item: Any) -> Any:
    global _work
    assert _start is not None, "a worker is told what to do before it does"
    _work = _work or _start()  # here, since an error of an initializer would look like a killed process
    return _work(item)
