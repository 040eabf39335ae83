"""The thread that runs ahead: order, bounds, errors, and that it ends."""

import threading
import time
import traceback
from collections.abc import Iterator

import pytest

from faceswap_cli.stream import prefetch


def running_prefetch_threads() -> int:
    return sum(thread.name == "prefetch" for thread in threading.enumerate())


def test_order_and_content_are_kept() -> None:
    assert list(prefetch(range(1000), depth=3)) == list(range(1000))


def test_no_more_than_depth_items_wait() -> None:
    taken = []

    def numbers() -> Iterator[int]:
        for number in range(100):
            taken.append(number)
            yield number

    stream = prefetch(numbers(), depth=3)
    assert next(stream) == 0
    time.sleep(0.1)
    assert len(taken) == 5  # one handed over, three waiting, one in the producer's hand
    stream.close()


def test_waiting_bytes_stay_under_the_limit() -> None:
    made = []

    def blocks() -> Iterator[bytes]:
        for _ in range(20):
            made.append(1)
            yield bytes(100)

    stream = prefetch(blocks(), depth=50, byte_limit=350, size_of=len)
    next(stream)
    time.sleep(0.1)
    assert len(made) == 5
    stream.close()


def test_an_item_larger_than_the_byte_limit_still_passes() -> None:
    assert [len(block) for block in prefetch([bytes(500), bytes(500)], byte_limit=100, size_of=len)] == [500, 500]


def test_an_error_comes_after_the_items_before_it_with_its_own_traceback() -> None:
    def failing() -> Iterator[int]:
        yield 1
        raise ValueError("the cause")

    stream = prefetch(failing())
    assert next(stream) == 1
    with pytest.raises(ValueError, match="the cause") as caught:
        next(stream)
    assert any(entry.name == "failing" for entry in traceback.extract_tb(caught.value.__traceback__))


def test_closing_stops_the_thread_and_closes_what_it_ran() -> None:
    closed_in = []

    def endless() -> Iterator[int]:
        try:
            while True:
                yield 0
        finally:
            closed_in.append(threading.current_thread().name)

    before = running_prefetch_threads()
    stream = prefetch(endless(), depth=2)
    next(stream)
    stream.close()
    assert closed_in == ["prefetch"]
    assert running_prefetch_threads() == before


def test_closing_a_chain_stops_every_thread() -> None:
    before = running_prefetch_threads()
    stream = prefetch(prefetch(prefetch(iter(range(10**9)))))
    assert next(stream) == 0
    stream.close()
    assert running_prefetch_threads() == before


def test_leaving_the_loop_by_an_error_stops_the_thread() -> None:
    before = running_prefetch_threads()

    def consume() -> None:
        for number in prefetch(iter(range(10**9))):
            if number == 3:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        consume()
    assert running_prefetch_threads() == before


def test_an_empty_stream_ends_at_once() -> None:
    assert list(prefetch([])) == []
