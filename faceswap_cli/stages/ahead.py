"""Run one step of the frames' way ahead of the next, in a thread of its own (between all steps of a clip).

What waits between two threads is bounded in frames and in bytes, so memory does not depend on the clip.
"""

from collections.abc import Callable, Generator, Iterable
from typing import Protocol, TypeVar

from ..stream import prefetch
from ..types import Frame


class OnItsWay(Protocol):
    """What a step makes of a frame."""

    @property
    def frame(self) -> Frame:
        """The frame."""
        ...


Step = TypeVar("Step", bound=Frame | OnItsWay)

_FRAMES = 3  # that wait between two threads
_BYTES = 96 << 20  # and at most so many bytes of them, whatever their size


def ahead(items: Iterable[Step], beside: Callable[[Step], int] | None = None) -> Generator[Step, None, None]:
    """Yield what a step gives while a thread makes the next; closing it stops the thread, see `stream.prefetch`.

    `beside` tells how many bytes a step holds beside its frame, where those are many.
    """
    return prefetch(items, _FRAMES, _BYTES, lambda item: _weight(item) + (beside(item) if beside else 0))


def _weight(item: Frame | OnItsWay) -> int:
    """Estimate the bytes of a frame: its RGB view, and about half as much for the decoded planes."""
    frame = item if isinstance(item, Frame) else item.frame
    return frame.rgb.nbytes * 3 // 2
