"""Keep Ctrl-C away from what must happen as a whole."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def held_back(told: str) -> Iterator[None]:
    """Let Ctrl-C wait until the block is done; `told` is then noted on the KeyboardInterrupt.

    Only the main thread is ever interrupted. A block that raises passes its own error on.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        came.append(number)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL if before is None else before)
    if came:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt as interrupt:
            interrupt.add_note(told)
            raise
