"""Run an iterator ahead of its consumer in a thread.

The queue between them is bounded in items and in bytes, so memory does not depend on how long the stream is. Nothing
here knows what flows through.
"""

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")


def prefetch(
    items: Iterable[Item],
    depth: int = 4,
    byte_limit: int | None = None,
    size_of: Callable[[Item], int] | None = None,
) -> Generator[Item, None, None]:
    """Yield `items` in order while a thread produces up to `depth` of them ahead.

    With `byte_limit` the queued items also stay under that many bytes as told by `size_of`; a single larger item still
    passes, alone. An error of `items` is raised here after the items before it, with its own traceback. Closing the
    returned generator (or leaving it by an error) stops the thread and closes `items` in that thread before it returns.
    """
    queue = _BoundedQueue(depth, byte_limit, size_of or (lambda item: 0))
    worker = threading.Thread(target=_produce, args=(items, queue), name="prefetch", daemon=True)
    worker.start()
    try:
        yield from queue
    finally:
        queue.stop()
        worker.join()
    if queue.error is not None:
        raise queue.error


def _produce(items: Iterable[Item], queue: "_BoundedQueue[Item]") -> None:
    """Fill `queue` until `items` ends, fails or nobody wants more."""
    iterator = iter(items)
    try:
        for item in iterator:
            if not queue.put(item):
                break
    except BaseException as error:
        queue.error = error
    finally:
        _close(iterator, queue)
        queue.finish()


def _close(iterator: Iterator[Item], queue: "_BoundedQueue[Item]") -> None:
    """Close a generator, so that its own files and threads end with it."""
    close = getattr(iterator, "close", None)
    if close is None:
        return
    try:
        close()
    except BaseException as error:
        queue.error = queue.error or error


class _BoundedQueue(Generic[Item]):
    """A queue for one producer and one consumer, bounded in items and bytes."""

    def __init__(self, depth: int, byte_limit: int | None, size_of: Callable[[Item], int]) -> None:
        self.error: BaseException | None = None
        self._items: deque[tuple[Item, int]] = deque()
        self._depth, self._byte_limit, self._size_of = max(1, depth), byte_limit, size_of
        self._bytes = 0
        self._finished = self._stopped = False
        self._changed = threading.Condition()

    def put(self, item: Item) -> bool:
        """Wait for room and add `item`; False when the consumer has gone."""
        size = self._size_of(item)
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or self._has_room(size))
            if self._stopped:
                return False
            self._items.append((item, size))
            self._bytes += size
            self._changed.notify_all()
            return True

    def __iter__(self) -> Iterator[Item]:
        return self

    def __next__(self) -> Item:
        """Wait for an item and remove it."""
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._finished)
            if not self._items:
                raise StopIteration
            item, size = self._items.popleft()
            self._bytes -= size
            self._changed.notify_all()
            return item

    def finish(self) -> None:
        """Tell the consumer that no item will follow."""
        with self._changed:
            self._finished = True
            self._changed.notify_all()

    def stop(self) -> None:
        """Tell the producer that no item is wanted any more."""
        with self._changed:
            self._stopped = True
            self._items.clear()
            self._changed.notify_all()

    def _has_room(self, size: int) -> bool:
        if not self._items:
            return True
        within_bytes = self._byte_limit is None or self._bytes + size <= self._byte_limit
        return len(self._items) < self._depth and within_bytes
