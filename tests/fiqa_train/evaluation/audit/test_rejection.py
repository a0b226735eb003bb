"""One threshold for all people, and what it rejects of a group."""

import numpy as np
import pytest

from synfiqa.fiqa_train.evaluation.audit.rejection import common_threshold, rejection


@pytest.mark.parametrize(
    ("quality", "rejected"),
    [
        (np.arange(100), 0.10),
        (np.repeat([0, 1], [8, 92]), 0.08),
        (np.repeat([0, 1], [30, 70]), 0.0),
        (np.repeat([0, 1], [19, 81]), 0.19),
        (np.ones(50), 0.0),
        (np.arange(3), 0.0),
    ],
)
def test_the_rejected_share_is_the_nearest_that_ties_allow(quality, rejected):
    threshold = common_threshold(np.asarray(quality, float), 0.1)
    assert (quality < threshold).mean() == rejected


def test_the_interval_is_over_identities():
    identity = np.repeat(np.arange(20), 10)
    one_person = identity == 3
    spread_out = np.tile([1, 0, 0, 0, 0, 0, 0, 0, 0, 0], 20).astype(bool)
    clustered = rejection(np.where(identity < 2, True, False), identity, 200, 0)
    even = rejection(spread_out, identity, 200, 0)
    assert clustered.share == even.share == 0.1
    assert (even.interval.low, even.interval.high) == pytest.approx((0.1, 0.1))
    assert clustered.interval.low < 0.05 < 0.15 < clustered.interval.high
    assert rejection(one_person, identity, 0, 0).interval is None
    assert rejection(one_person[30:40], identity[30:40], 200, 0).interval is None, "a single identity"
