"""The scale on a card: percentiles among the samples, and a logistic with its middle at the median."""

import numpy as np
import pytest
from pydantic import ValidationError

from synfiqa.fiqa_train.training.score_scale import QUANTILES, score_scale
from synfiqa.schemas.model_card import ModelCard, ScoreScale

SCORES = np.random.default_rng(3).normal(0.5, 0.2, 1000)


def test_percentiles_are_shares_of_the_samples_below():
    scale = score_scale(SCORES, "drawn")
    assert len(scale.quantiles) == QUANTILES
    for score in (0.2, 0.5, 0.61, 0.9):
        assert scale.percentile(score) == pytest.approx(100 * (score > SCORES).mean(), abs=0.5)
    assert (scale.percentile(-5), scale.percentile(5)) == (0, 100)


def test_quartiles_become_about_25_50_and_75():
    scale = score_scale(SCORES, "drawn")
    low, middle, high = np.quantile(SCORES, (0.25, 0.5, 0.75))
    assert scale.scalar(middle) == pytest.approx(50, abs=0.01)
    assert scale.scalar(low) == pytest.approx(25, abs=2)
    assert scale.scalar(high) == pytest.approx(75, abs=2)


def test_both_rise_with_the_score_within_0_and_100():
    scale = score_scale(SCORES, "drawn")
    scores = np.linspace(-3, 4, 400)
    for values in ([scale.percentile(score) for score in scores], [scale.scalar(score) for score in scores]):
        assert (np.diff(values) >= 0).all()
        assert min(values) >= 0
        assert max(values) <= 100
    assert scale.scalar(-1e9) == pytest.approx(0)
    assert scale.scalar(1e9) == 100


def test_samples_with_one_score_have_the_middle_of_their_ranks():
    scale = score_scale(np.array([0.0] * 25 + [1.0] * 50 + [2.0] * 26), "steps")
    assert scale.percentile(1.0) == pytest.approx(49.5, abs=1)
    assert scale.percentile(0.5) == pytest.approx(24.5, abs=1)


@pytest.mark.parametrize("scores", [[], [0.5], [0.5] * 40, [np.nan] * 9, [0.1] + [0.5] * 40])
def test_scores_without_a_spread_have_no_scale(scores):
    assert score_scale(np.array(scores), "flat") is None


def test_a_card_takes_rising_quantiles_of_quality_models_only():
    document = score_scale(SCORES, "drawn").model_dump(mode="json")
    with pytest.raises(ValidationError, match="quantiles must not fall"):
        ScoreScale.model_validate(document | {"quantiles": [1, 0]})
    card = {
        "name": "a",
        "role": "embedder",
        "architecture": "x",
        "source": "built-in",
        "input_size": 112,
        "channels": "rgb",
        "value_range": None,
        "output": "x",
        "licence": "MIT",
        "commercial_use": True,
    }
    with pytest.raises(ValidationError, match="scale is for quality models"):
        ModelCard(**card, scale=document)
    assert "scale" not in ModelCard(**card).model_dump(), "cards of older versions stay as they are"
