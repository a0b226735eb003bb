"""When a ladder falls."""

import numpy as np
import pytest

from benchmarks.quality.face_bars.arithmetic import (
    falls,
    largest_fall,
    largest_rise,
    rank_correlation,
    rank_correlations,
)


def test_a_ladder_falls_when_no_step_rises_by_more_than_the_tolerance_and_it_ends_lower():
    ladders = np.array(
        [
            [0.9, 0.7, 0.5, 0.2],
            [0.9, 0.7, 0.709, 0.2],  # within the tolerance
            [0.9, 0.7, 0.711, 0.2],  # beyond it
            [0.9, 0.9, 0.9, 0.9],  # a factor without effect
            [0.9, 0.9, 0.9, 0.895],  # nearly without
            [0.2, 0.5, 0.7, 0.9],
        ]
    )
    assert falls(ladders).tolist() == [True, True, False, False, False, False]
    assert falls(ladders, tolerance=0.02)[2]


def test_small_rises_that_add_up_do_not_count_as_a_fall():
    assert not falls(np.array([0.5 + 0.009 * np.arange(10)])).any()


@pytest.mark.parametrize(
    ("values", "rise", "fall"),
    [([0.9, 0.5, 0.6], 0.1, 0.4), ([1.0, 0.8, 0.5], 0.0, 0.3), ([0.1, 0.2, 0.6], 0.4, 0.0), ([0.5], 0.0, 0.0)],
)
def test_the_largest_steps(values, rise, fall):
    assert largest_rise(np.array(values)) == pytest.approx(rise)
    assert largest_fall(np.array(values)) == pytest.approx(fall)


def test_rank_correlation_with_the_step():
    assert rank_correlation(np.array([0.9, 0.5, 0.4, 0.1])) == pytest.approx(-1)
    assert rank_correlation(np.array([0.1, 0.2, 0.3])) == pytest.approx(1)
    assert rank_correlation(np.full(8, 0.3)) == 0
    # one swap of neighbours among eight costs 6 * 2 / (8 * 63)
    assert rank_correlation(np.array([8, 7, 6, 4, 5, 3, 2, 1.0])) == pytest.approx(-1 + 12 / 504)
    assert rank_correlations(np.array([[3, 2, 1.0], [1, 2, 3.0]])) == pytest.approx([-1, 1])
