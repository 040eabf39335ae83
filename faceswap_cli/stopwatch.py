"""Sum the wall time of named stages, each as seen by the one thread that runs it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Stopwatch:
    """Seconds of each stage. A stage belongs to one thread; different stages may run side by side."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the time of the block as the stage's."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - began

    def taken(self) -> dict[str, float]:
        """Return what was counted since the last time, and begin anew."""
        seconds, self.seconds = self.seconds, {}
        return seconds

    def add(self, seconds: dict[str, float]) -> None:
        """Add what another one counted."""
        for name, more in seconds.items():
            self.seconds[name] = self.seconds.get(name, 0.0) + more
