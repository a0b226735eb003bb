"""Scores of portraits on the scale that is learned."""

import numpy as np

from synfiqa.fiqa_train.training.dsl.target_scale import TargetScale


def test_a_range_is_that_of_the_training():
    assert TargetScale(np.array([20.0, 50, 60]), "range")(np.array([20.0, 40, 70])).tolist() == [0, 0.5, 1.25]


def test_ranks_spread_scores_that_crowd_at_one_end():
    """Half of all similarities lay above 0.92 of a range from 0.3 to 1: the loss saw hardly a difference."""
    scores = np.array([0.3, 0.92, 0.93, 0.94, 1, 1])
    found = TargetScale(scores, "ranks")(scores)
    np.testing.assert_allclose(found, np.array([0.5, 1.5, 2.5, 3.5, 5, 5]) / 6, rtol=1e-6)
    assert TargetScale(scores, "ranks")(np.array([0.1, 2])).tolist() == [0, 1]
