"""Ranks in blocks of rows are those of the whole column, with ties across blocks and thinned tables."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata

from synfiqa.fiqa_train.labels import ranks
from synfiqa.fiqa_train.labels.ranks import group_bounds, rank_factor, rank_table


def thinned(ascending, limit):
    """The rule of a thinned table on whole arrays: both ends of each interval of ranks."""
    distinct, first, ties = np.unique(ascending, return_index=True, return_counts=True)
    average = first + (ties + 1) / 2
    change = np.flatnonzero(np.diff(np.floor((average - 1) / len(ascending) * (limit // 2))))
    kept = np.unique([0, *change, *(change + 1), len(distinct) - 1])
    return distinct[kept].tolist(), average[kept].tolist()


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.integers(0, 40), min_size=1, max_size=120), st.sampled_from([1, 2, 7, 1000]), st.sampled_from([4, 8])
)
def test_blocks_change_nothing(values, block, limit):
    column = np.array(values, np.float32) / 7
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranks, "BLOCK", block)
        table, doubled = rank_factor(column.copy())
        np.testing.assert_array_equal(doubled / 2, rankdata(column, "average"))
        assert table.values == np.unique(column).tolist()
        patch.setattr(ranks, "TABLE_LIMIT", limit)
        short = rank_table(np.sort(column))
        if len(table.values) > limit:
            assert (short.values, short.ranks) == thinned(np.sort(column), limit)
        deciles = np.clip(np.floor(10 * (rankdata(column, "average") - 0.5) / len(column)), 0, 9)
        bounds = group_bounds(np.sort(column).astype(np.float64))
        np.testing.assert_array_equal(np.searchsorted(bounds, column.astype(np.float64), "right"), deciles)


def test_a_float32_column_becomes_its_ranks_and_a_float64_one_stays():
    column = np.array([3, 1, 1], np.float32)
    _, doubled = rank_factor(column)
    assert np.shares_memory(column, doubled)
    assert doubled.tolist() == [6, 3, 3]
    wide = np.array([3.0, 1.0])
    assert rank_factor(wide)[1].tolist() == [4, 2]
    assert wide.tolist() == [3, 1]
