"""Lazy arrays: they answer as NumPy's do, read what is asked for alone, and keep no more than they may."""

import numpy as np
import pytest

from faceswap_cli.training.data.array_like import Kept, Lazy

WHOLE = np.arange(24).reshape(6, 4)


@pytest.mark.parametrize(
    "rows", [2, -1, np.int64(3), slice(1, 5, 2), [4, 0, 4], np.array([True, False] * 3), np.array([-1, 2]), []]
)
def test_rows_are_those_numpy_would_give(rows: object) -> None:
    np.testing.assert_array_equal(Lazy((6, 4), WHOLE.__getitem__)[rows], WHOLE[rows])


def test_chosen_rows_are_read_when_they_are_asked_for() -> None:
    read: list[int] = []

    def note(rows: np.ndarray) -> np.ndarray:
        read.extend(rows.tolist())
        return WHOLE[rows]

    some = Lazy((6, 4), note).chosen(np.array([False, True, True, False, False, True])).chosen([2, 0])
    assert (len(some), some.shape, read) == (2, (2, 4), [])
    np.testing.assert_array_equal(some[0], WHOLE[5])
    assert read == [5]
    np.testing.assert_array_equal(np.asarray(some), WHOLE[[5, 1]])


def test_going_through_an_array_ends_with_its_last_row() -> None:
    assert [row[0] for row in Lazy((6, 4), WHOLE.__getitem__)] == WHOLE[:, 0].tolist()


def test_what_is_kept_is_read_once_and_weighs_no_more_than_it_may() -> None:
    read: list[int] = []

    def one(row: int) -> np.ndarray:
        read.append(row)
        return WHOLE[row]

    kept = Kept(one, budget=2 * WHOLE[0].nbytes)
    for _ in range(2):
        np.testing.assert_array_equal(kept(np.array([3, 1, 5])), WHOLE[[3, 1, 5]])
    assert read == [3, 1, 5, 5]
