"""Who swaps the parts of a clip: this process, one part after another, or a crew, of this machine or of a cluster.

A worker opens its networks once and keeps them. It ends with the process that started it, however that ends, and no two
write a file of one name, so that a run which was killed can be gone on with at once.
"""

import os
import queue
import signal
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from typing import Any, Protocol

from ..errors import OutputError
from ..extras import load
from ..options import Options
from .bench import Bench, News, PartDone
from .cut import Part

OpenBench = Callable[[], Bench]  # known by name to another process, or a `partial` of such
_PATIENCE = 0.2  # seconds between two looks at whether a worker failed

_BLAS_THREADS = "OPENBLAS_NUM_THREADS"

_desk: "_Desk | None" = None  # of a worker process


def alone(open_bench: OpenBench, parts: Iterable[Part | None]) -> Generator[News, None, None]:
    """Swap parts in this process; yield what is done as it is."""
    bench = None
    for part in parts:
        if part is not None:
            bench = bench or open_bench()
            yield from bench.swap(part)


class Crew(Protocol):
    """Several who swap parts at a time, and what they have to tell."""

    size: int  # how many they are, at most

    @property
    def is_busy(self) -> bool:
        """Whether a part is not done yet."""
        ...

    def hand_out(self, part: Part) -> None:
        """Give a part to whoever is free first."""
        ...

    def news(self, patience: float) -> Iterator[News]:
        """Yield what has arrived, waiting so many seconds for the first; raise what a worker raised."""
        ...

    def dismiss(self) -> None:
        """End all workers, whatever they are at."""
        ...


def crew_for(options: Options, open_bench: OpenBench) -> Crew | None:
    """Return who swaps, beside this process; None where it swaps alone."""
    if options.ray is not None:
        crew: Crew = load("faceswap_cli.parts.on_ray").RayCrew(open_bench, options)
        return crew
    workers = options.workers or 1
    return None if workers == 1 else Processes(open_bench, workers)


def together(crew: Crew, parts: Iterable[Part | None]) -> Generator[News, None, None]:
    """Have a crew swap parts; yield what is done as it is, in no order.

    Parts are handed out as they come, and workers begin with the first. Raises what a worker raises, and OutputError
    where one was killed; closing the iterator ends all of them.
    """
    try:
        for part in parts:
            if part is not None:
                crew.hand_out(part)
            yield from crew.news(0)
        while crew.is_busy:
            yield from crew.news(_PATIENCE)
    finally:
        crew.dismiss()


class Processes:
    """A crew of this machine; dismissed, each ends behind its frame."""

    def __init__(self, open_bench: OpenBench, workers: int) -> None:
        self.size = workers
        context = get_context("spawn")  # a forked process may not use the threads of networks its parent opened
        self._arrived, self._stopped = context.Queue(), context.Event()
        desk = _Desk(open_bench, self._arrived, self._stopped)
        self._pool = ProcessPoolExecutor(workers, context, _begin, (desk,))
        self._parts: list[Future[None]] = []
        self._done = 0

    @property
    def is_busy(self) -> bool:
        """Whether a part is not done yet."""
        return self._done < len(self._parts)

    def hand_out(self, part: Part) -> None:
        """Give a part to whoever is free first."""
        with _killed(), _one_blas_thread():
            self._parts.append(self._pool.submit(_swap, part))

    def news(self, patience: float) -> Iterator[News]:
        """Yield what has arrived, waiting so many seconds for the first; raise what a worker raised."""
        failed = [part for part in self._parts if part.done() and part.exception() is not None]
        with suppress(queue.Empty):
            news = self._arrived.get(timeout=patience) if patience else self._arrived.get_nowait()
            while True:
                self._done += isinstance(news, PartDone)
                yield news
                news = self._arrived.get_nowait()
        with _killed():
            for part in failed:
                part.result()

    def dismiss(self) -> None:
        """End all workers, each behind its frame."""
        self._stopped.set()
        self._pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _one_blas_thread() -> Iterator[None]:
    """Let the processes that are started meanwhile compute numpy's products with one thread.

    Theirs are small, and several threads of several workers spin on the same cores while they wait for each other.
    """
    before = os.environ.get(_BLAS_THREADS)
    os.environ.setdefault(_BLAS_THREADS, "1")
    try:
        yield
    finally:
        if before is None:
            del os.environ[_BLAS_THREADS]


@contextmanager
def _killed() -> Iterator[None]:
    """Say of a worker that is gone what may have ended it."""
    try:
        yield
    except BrokenProcessPool as error:
        raise OutputError(
            "a worker was ended from outside, for want of memory say: give fewer --workers, or look who ended it"
        ) from error


@dataclass(slots=True, eq=False)
class _Desk:
    """What a worker works with."""

    open_bench: OpenBench
    arrived: Any  # a queue of news
    stopped: Any  # an event: nothing more is wanted
    bench: Bench | None = None


def _begin(desk: _Desk) -> None:
    global _desk
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the first process's to answer, once
    desk.arrived.cancel_join_thread()  # whoever is dismissed need not be heard
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _desk = desk


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _swap(part: Part) -> None:
    assert _desk is not None, "a worker is told what to do before it does"
    # Opened here, since an error of an initializer would look like a killed process.
    _desk.bench = _desk.bench or _desk.open_bench()
    with closing(_desk.bench.swap(part)) as news:
        for each in news:
            if _desk.stopped.is_set():
                return
            _desk.arrived.put(each)
