"""Work over processes: all of it, in order, bounded, and errors are those of the work."""

import os
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from faceswap_cli.errors import FaceSwapError, MediaError, WeightsError
from faceswap_cli.training.core.workers import AHEAD, spread


def start(offset: int) -> Callable[[int], tuple[int, int]]:
    return partial(work, offset)


def start_without_weights() -> Callable[[int], int]:
    raise WeightsError("no weights")


def work(offset: int, item: int) -> tuple[int, int]:
    if item < 0:
        raise MediaError("damaged")
    if item == 99:
        os._exit(9)
    return offset + item, os.getpid()


@pytest.mark.parametrize("processes", [1, 2])
def test_every_item_comes_back_in_its_place(processes: int) -> None:
    found = list(spread(partial(start, 100), range(20), processes))
    assert [(item, result) for item, (result, _) in found] == [(item, 100 + item) for item in range(20)]
    assert (os.getpid() in {process for _, (_, process) in found}) == (processes == 1)


def test_no_more_is_taken_than_is_under_way() -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for item in range(100):
            taken.append(item)
            yield item

    results = spread(partial(start, 0), items(), 2)
    next(results)
    assert len(taken) == AHEAD * 2
    results.close()


def test_errors_of_the_work_are_raised_here() -> None:
    for processes in (1, 2):
        with pytest.raises(MediaError, match="damaged"):
            list(spread(partial(start, 0), [1, -1], processes))
        with pytest.raises(WeightsError, match="no weights"):
            list(spread(start_without_weights, [1, 2], processes))


def test_a_process_that_was_killed_is_one_line() -> None:
    with pytest.raises(FaceSwapError, match="ended from outside"):
        list(spread(partial(start, 0), [99], 2))
