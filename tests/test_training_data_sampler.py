"""Draws by person: how often each comes, pairs of one person and of two, and that only the rows allowed are drawn."""

import numpy as np
import pytest

from faceswap_cli.training.data.sampler import PersonSampler

PEOPLE = np.array([7, 2, 7, 7, 2, 7, 9, 7, 7, 7, 7, 7], np.int32)  # nine rows of 7, two of 2, one of 9
EVERY = np.arange(len(PEOPLE))


def shares(balance: float) -> dict[int, float]:
    drawn = PersonSampler(PEOPLE, EVERY, balance).draw(20_000, np.random.default_rng(0))
    return {person: float((PEOPLE[drawn] == person).mean()) for person in (7, 2, 9)}


@pytest.mark.parametrize(
    ("balance", "wanted"),
    [(1.0, (9 / 12, 2 / 12, 1 / 12)), (0.0, (1 / 3, 1 / 3, 1 / 3)), (0.5, (3 / 5.414, 1.414 / 5.414, 1 / 5.414))],
)
def test_a_person_comes_as_often_as_the_balance_says(balance: float, wanted: tuple[float, float, float]) -> None:
    assert list(shares(balance).values()) == pytest.approx(wanted, abs=0.015)


def test_all_rows_of_a_person_come_alike() -> None:
    drawn = PersonSampler(PEOPLE, EVERY, 0.0).draw(27_000, np.random.default_rng(0))
    counts = np.bincount(drawn, minlength=len(PEOPLE))[PEOPLE == 7]
    np.testing.assert_allclose(counts, 1000, rtol=0.15)


def test_pairs_are_of_one_person_or_of_two() -> None:
    sampler, generator = PersonSampler(PEOPLE, EVERY, 0.5), np.random.default_rng(0)
    rows = sampler.draw(500, generator)
    same, others = sampler.draw_same(rows, generator), sampler.draw_others(rows, generator)
    assert np.array_equal(PEOPLE[same], PEOPLE[rows])
    assert (PEOPLE[others] != PEOPLE[rows]).all()
    sevens = same[PEOPLE[rows] == 7]
    assert set(sevens.tolist()) == set(EVERY[PEOPLE == 7].tolist())  # any of their pictures, their own among them


def test_only_rows_that_may_be_drawn_are() -> None:
    allowed = np.array([1, 2, 3, 6])
    sampler, generator = PersonSampler(PEOPLE, allowed, 0.5), np.random.default_rng(0)
    assert set(sampler.draw(500, generator).tolist()) == set(allowed.tolist())
    assert set(sampler.draw_same(np.array([0, 4, 6] * 50), generator).tolist()) == set(allowed.tolist())


def test_one_person_alone_is_paired_with_itself() -> None:
    sampler = PersonSampler(np.zeros(3, np.int32), np.arange(3), 0.5)
    assert len(sampler.draw_others(np.array([0, 1]), np.random.default_rng(0))) == 2


def test_draws_follow_from_the_generator_alone() -> None:
    one, other = (PersonSampler(PEOPLE, EVERY, 0.5).draw(50, np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(one, other)
