"""Agreement with opinion scores, and what the logistic mapping adds."""

import numpy as np
import pytest

from synfiqa.fiqa_train.evaluation.on_test_sets.opinion_agreement import agreement, logistic_mapping
from synfiqa.schemas.errors import UserError

OPINIONS = np.linspace(1, 5, 60)


def test_a_bent_scale_has_full_rank_correlation_and_gains_by_the_mapping():
    bent = np.exp(2 * OPINIONS)
    found = agreement(bent, OPINIONS)
    assert found.srcc == pytest.approx(1)
    assert found.krcc == pytest.approx(1)
    assert found.plcc < 0.8
    assert found.plcc_mapped > 0.97
    assert found.images == 60


def test_a_line_needs_no_mapping_and_falling_scores_are_mapped_too():
    assert agreement(3 * OPINIONS + 1, OPINIONS).plcc == pytest.approx(1)
    falling = agreement(-OPINIONS, OPINIONS)
    assert falling.srcc == pytest.approx(-1)
    assert falling.plcc_mapped == pytest.approx(1, abs=1e-3)
    assert falling.rmse_mapped < 0.05


def test_the_mapping_never_fits_worse_than_a_line():
    noise = np.random.default_rng(0).standard_normal(60)
    line = np.polyval(np.polyfit(noise, OPINIONS, 1), noise)
    mapped = logistic_mapping(noise, OPINIONS)
    assert np.sum((mapped - OPINIONS) ** 2) <= np.sum((line - OPINIONS) ** 2) + 1e-9


def test_equal_scores_have_no_correlation_and_equal_opinions_are_refused():
    assert agreement(np.ones(60), OPINIONS).srcc == 0
    with pytest.raises(UserError, match="all 60 opinion scores are 2"):
        agreement(OPINIONS, np.full(60, 2.0))
    with pytest.raises(UserError, match="at least 10 images, not 3"):
        agreement(OPINIONS[:3], OPINIONS[:3])
