"""Swap the parts of one clip on a Ray cluster: actors that open networks once and keep them.

Asked now and then, an actor tells what it has done since. Where one is lost, Ray restarts it and its part is handed out
again behind the stretches that it had told. All workers must see the clip, the sources and the output's folder under
the same paths.
"""

from collections import deque
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Condition
from typing import Any

import ray
from ray.exceptions import RayActorError, RayTaskError

from ..cluster import MOST_LOSSES, Worker, first_line, greeted, hired, places
from ..errors import OutputError
from ..options import Options
from .bench import Bench, FrameDone, News, PartDone, StretchDone
from .crew import OpenBench
from .cut import Part

_GATHERED = 0.5  # seconds in which a worker's news gather, unless its part ends
_GONE = 10.0  # seconds in which a worker ends what is at hand


class PartActor(Worker):
    """Swaps one part after another in a process of its own."""

    def __init__(self, folder: Path, open_bench: OpenBench) -> None:
        super().__init__(folder)
        self._open_bench = open_bench
        self._bench: Bench | None = None
        self._told, self._at_work, self._stopped, self._changed = list[News](), False, False, Condition()

    def swap(self, part: Part) -> None:
        """Swap a part."""
        self._at_work = True
        try:
            bench = self._open()
            with closing(bench.swap(part)) as news:
                for each in news:
                    if self._stopped:
                        return
                    self._told.append(each)
        finally:
            with self._changed:
                self._at_work = False
                self._changed.notify_all()

    def news(self) -> list[News]:
        """Return what is done since the last time, a little later if a part is at hand."""
        with self._changed:
            self._changed.wait_for(lambda: not self._at_work, _GATHERED)
        count = len(self._told)
        news, self._told[:count] = self._told[:count], []
        return news

    def stop(self) -> None:
        """End what is at hand behind its frame, and wait for that."""
        with self._changed:
            self._stopped = True
            self._changed.wait_for(lambda: not self._at_work)

    def _open(self) -> Bench:
        self._bench = self._bench or self._open_bench()
        return self._bench


@dataclass(slots=True, eq=False)
class _Work:
    """A part that is with a worker, or waits for one."""

    part: Part
    last: int = -1  # number of the last frame that was told
    losses: int = 0  # workers that were lost at it

    def is_news(self, news: News) -> bool:
        """Take note of what is done; tell whether it was not known yet."""
        if isinstance(news, StretchDone):
            done = news.segment
            self.part = replace(self.part, first=done.first_frame + done.frames, last_pts=done.last_pts)
        if not isinstance(news, FrameDone):
            return True
        known, self.last = self.last, max(self.last, news.number)
        return news.number > known


class RayCrew:
    """A crew on the cluster this process is connected to."""

    def __init__(self, open_bench: OpenBench, options: Options) -> None:
        self.size = options.workers or places(options)
        self._open_bench, self._options = open_bench, options
        self._waiting = deque[_Work]()
        self._workers = list[Any]()
        self._new = dict[Any, Any]()  # workers by their answer who they are
        self._idle = list[Any]()
        self._at = dict[Any, _Work]()  # by worker
        self._asked = dict[Any, Any]()  # workers by their answer what is done
        self._ends = dict[Any, Any]()  # workers by what a part ends with: nothing, or an error

    @property
    def is_busy(self) -> bool:
        """Whether a part is not done yet."""
        return bool(self._waiting or self._at)

    def hand_out(self, part: Part) -> None:
        """Give a part to whoever is free first; a worker is hired for each until there are enough."""
        self._waiting.append(_Work(part))
        if len(self._workers) < self.size:
            self._workers.append(hired(PartActor, self._options, self._open_bench))
            self._greet(self._workers[-1])

    def news(self, patience: float) -> Iterator[News]:
        """Yield what has arrived, waiting so many seconds for the first; raise what a worker raised."""
        while self._idle and self._waiting:
            self._begin(self._idle.pop(), self._waiting.popleft())
        open_answers = [*self._new, *self._asked, *self._ends]
        ready = ray.wait(open_answers, num_returns=len(open_answers), timeout=0)[0] if open_answers else []
        if open_answers and not ready and patience:
            ready = ray.wait(open_answers, timeout=patience)[0]
        for answer in ready:
            if answer in self._new:
                self._take_in(answer)
            elif answer in self._asked:
                yield from self._heard(answer)
            elif answer in self._ends:
                self._end(answer)

    def dismiss(self) -> None:
        """End all workers, those at work behind their frame, so that none writes into a folder that is cleared."""
        ends = [worker.stop.remote() for worker in self._at]
        if ends:
            ray.wait(ends, num_returns=len(ends), timeout=_GONE)
        for worker in self._workers:
            ray.kill(worker)

    def _greet(self, worker: Any) -> None:
        self._new[worker.about.remote()] = worker

    def _take_in(self, answer: Any) -> None:
        worker = self._new.pop(answer)
        if greeted(answer, is_only_hope=not (self._new or self._idle or self._at)):
            self._idle.append(worker)

    def _begin(self, worker: Any, work: _Work) -> None:
        self._at[worker] = work
        self._ends[worker.swap.remote(work.part)] = worker
        self._asked[worker.news.remote()] = worker

    def _heard(self, answer: Any) -> Iterator[News]:
        """Yield what a worker tells, and ask again unless its part is done."""
        worker = self._asked.pop(answer)
        try:
            news = ray.get(answer)
        except RayActorError:  # the end of its part says so, too
            return
        for each in news:
            if self._at[worker].is_news(each):
                yield each
        if any(isinstance(each, PartDone) for each in news):
            del self._at[worker]
            self._idle.append(worker)
        else:
            self._asked[worker.news.remote()] = worker

    def _end(self, answer: Any) -> None:
        """Raise what a worker raised; have a part of which the worker is lost done by another."""
        worker = self._ends.pop(answer)
        try:
            ray.get(answer)
        except RayTaskError as error:
            raise error.cause from None
        except RayActorError as error:
            self._lost(worker, error)

    def _lost(self, worker: Any, error: RayActorError) -> None:
        work = self._at.pop(worker, None)
        self._idle = [each for each in self._idle if each is not worker]
        self._asked, self._ends = (
            {answer: each for answer, each in answers.items() if each is not worker}
            for answers in (self._asked, self._ends)
        )
        self._greet(worker)
        if work is None:
            return
        work.losses += 1
        if work.losses == MOST_LOSSES:
            raise OutputError(
                f"{work.losses} workers were lost at one part, for want of memory say: {first_line(error)}"
            )
        self._waiting.appendleft(work)
