"""Edges and thresholds are as soft as the standards say."""

import numpy as np
import pytest

from faceswap_cli.stages.soft import FEATHER, LINE_FEATHER, PART_FEATHER, RIM, feathered, ramp, soft_step


@pytest.mark.parametrize(
    ("value", "passed"), [(0.0, 0.0), (0.55, 0.0), (0.57, 0.2), (0.6, 0.5), (0.62, 0.7), (0.65, 1.0), (2.0, 1.0)]
)
def test_a_threshold_is_passed_over_a_tenth_half_of_it_on_either_side(value: float, passed: float) -> None:
    assert soft_step(value, 0.6) == pytest.approx(passed, abs=1e-9)


@pytest.mark.parametrize(("value", "share"), [(1.0, 0.0), (2.0, 0.0), (3.0, 0.25), (6.0, 1.0), (9.0, 1.0)])
def test_a_ramp_leads_from_one_end_to_the_other(value: float, share: float) -> None:
    assert ramp(value, (2.0, 6.0)) == pytest.approx(share)
    assert ramp(-value, (-6.0, -2.0)) == pytest.approx(1 - share)


@pytest.mark.parametrize("side", [224, 448])
@pytest.mark.parametrize("deviation", [FEATHER, PART_FEATHER])
def test_an_edge_is_as_soft_at_any_size(side: int, deviation: float) -> None:
    """A step blurred by a bell has 84.1 % a deviation inside of its edge, 15.9 % outside, and half on it."""
    mask = np.zeros((side, side), np.float32)
    mask[:, side // 2 :] = 1
    row = feathered(mask, deviation)[side // 2]
    places = (np.arange(side) + 0.5) / side - 0.5
    found = np.interp([-deviation, 0, deviation], places, row)
    np.testing.assert_allclose(found, [0.159, 0.5, 0.841], atol=0.015)


def test_a_mask_that_is_drawn_in_first_hardly_leaves_the_face() -> None:
    """1.5 deviations outside of an edge 6.7 % of it are left."""
    assert pytest.approx(1.5 * FEATHER) == RIM
    assert (PART_FEATHER, LINE_FEATHER) == (FEATHER / 2, FEATHER / 4)
