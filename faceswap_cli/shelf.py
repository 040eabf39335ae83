"""Keep what is dear to make from one swap to the next: networks, and who a source is.

A key names all that the thing depends on. What was used longest ago goes first, so that memory stays bounded however
many sources follow one another.
"""

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

T = TypeVar("T")

MOST = 24  # a model's networks are five; the rest are sources, 10 to 30 MB each


class Shelf:
    """Things by key; for one swap at a time."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._kept: dict[Hashable, Any] = {}  # the last used last

    def take(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return what is kept under the key, made now if it is not there; what raises is not kept."""
        thing: T = self._kept.pop(key) if key in self._kept else make()
        self._kept[key] = thing
        while len(self._kept) > self._most:
            del self._kept[next(iter(self._kept))]
        return thing
