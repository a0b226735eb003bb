"""Deciles of the label with the references above them, and whether scores ascend."""

import numpy as np

from synfiqa.fiqa_train.evaluation.audit.quality_levels import levels_of, monotonicity
from synfiqa.schemas.audit import LEVELS


def test_deciles_and_references():
    label = np.append(np.random.default_rng(0).permutation(np.arange(100) / 100), [np.nan] * 7)
    level = levels_of(label)
    assert np.bincount(level).tolist() == [10] * 10 + [7]
    assert (level[:-7] == (label[:-7] * 10 + 1e-9).astype(int)).all()


def test_equal_labels_share_a_level():
    level = levels_of(np.array([0.5] * 6 + [1.0] * 4))
    assert level.tolist() == [3] * 6 + [8] * 4
    assert levels_of(np.array([np.nan, np.nan])).tolist() == [10, 10]


def test_ascending_scores_are_monotone():
    label = np.append(np.arange(100) / 100, [np.nan] * 10)
    quality = np.append(np.arange(100) / 100, np.full(10, 2.0))
    found = monotonicity(levels_of(label), quality)
    assert [one.level for one in found.levels] == list(LEVELS)
    assert found.monotone
    assert found.inversions == []
    assert (found.kendall, found.spearman) == (1, 1)
    assert found.levels[-1].mean == 2


def test_a_step_down_is_named():
    level = np.repeat(np.arange(11), 2)
    quality = level.astype(float)
    quality[level == 4] = 2.5
    quality[level == 10] = 9.0
    found = monotonicity(level, quality)
    assert not found.monotone
    assert found.inversions == ["Q3-Q4", "Q9-Ref"]
    assert 0.8 < found.kendall < 1


def test_a_constant_score_has_no_correlation_and_empty_levels_are_passed_over():
    found = monotonicity(np.array([0, 0, 10]), np.ones(3))
    assert (found.kendall, found.spearman, found.monotone) == (None, None, False)
    assert [one.n for one in found.levels] == [2, *[0] * 9, 1]
    assert found.inversions == ["Q0-Ref"]
