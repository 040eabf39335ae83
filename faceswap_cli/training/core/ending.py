"""Ctrl-C and a scheduler's SIGTERM wait for the step that a run is at: nothing that was learnt is lost.

The second time they act at once. Several workers end as torchrun ends them, since all must do the same number of steps.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from .parallel import several


class Ending:
    """Whether a run was asked to end."""

    asked = False

    @contextmanager
    def behind_a_step(self) -> Iterator[None]:
        """Note signals while the block takes its steps; raise KeyboardInterrupt behind it where one came.

        Only the main thread hears signals. Where Ctrl-C is ignored (nohup, a script's `&`) it stays so.
        """
        heard = [] if several() or threading.current_thread() is not threading.main_thread() else [signal.SIGTERM]
        if heard and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            heard.append(signal.SIGINT)
        before = {number: signal.signal(number, self._note) for number in heard}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        if self.asked:
            raise KeyboardInterrupt

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
