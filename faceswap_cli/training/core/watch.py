"""What a run tells whoever watches it: how far it is, how fast, with which losses, and how long it still takes."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

WATCHED_EVERY = 0.5  # seconds: a GPU is waited for when a loss is read


@dataclass(frozen=True, slots=True)
class Moment:
    """Where a run stands."""

    unit: str  # what is counted: "steps", or what is done before the first one
    done: int
    total: int | None = None  # None where minutes alone end the run
    images_per_second: float | None = None
    seconds_left: float | None = None
    losses: Mapping[str, float] = field(default_factory=dict)
    found: str = ""  # a line for people, where something is done before the first step
    of: str = "images"  # what its pace counts


Watch = Callable[[Moment], None]


def unwatched(moment: Moment) -> None:
    """Say nothing."""


class Clock:
    """Tells pace and time left of a run between its moments."""

    def __init__(self, step: int, batch: int) -> None:
        self._batch, self._shown, self._step = batch, time.monotonic(), step
        self._began: tuple[float, float] | None = None  # when the first moment was, and which share was done by then

    def due(self) -> bool:
        """Tell whether it is time for another moment."""
        return time.monotonic() - self._shown >= WATCHED_EVERY

    def moment(self, step: int, steps: int | None, share: float, losses: Mapping[str, float]) -> Moment:
        """Return the moment of a step, of so many, when a share of the run is done."""
        now = time.monotonic()
        pace = (step - self._step) * self._batch / max(now - self._shown, 1e-9)
        self._began = self._began or (now, share)
        then, before = self._began
        left = (now - then) * (1 - share) / (share - before) if share > before else None
        self._shown, self._step = now, step
        return Moment("steps", step, steps, pace, left, losses)


def counted(watch: Watch, unit: str, of: str = "images") -> Callable[[int, int], None]:
    """Return what tells a watch how much of some work is done, with pace and time left from its first word on.

    `of` is what the pace counts. Where less is done than before, other work of the kind has begun.
    """
    clock: Clock | None = None
    before = 0

    def show(done: int, total: int) -> None:
        nonlocal clock, before
        first = clock is None or done < before
        clock = Clock(done, 1) if clock is None or first else clock
        before = done
        if first or done == total or clock.due():
            moment = clock.moment(done, total, done / max(total, 1), {})
            pace = None if first else moment.images_per_second
            watch(replace(moment, unit=unit, of=of, images_per_second=pace))

    return show
