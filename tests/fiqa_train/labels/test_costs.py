"""Costs of factors: what was planted is found, no harm ever pays, and the order of rows leaves no trace."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synfiqa.fiqa_train.labels import costs as label_costs
from synfiqa.fiqa_train.labels.costs import fit_costs, kept
from synfiqa.fiqa_train.labels.severities import FACTORS
from synfiqa.schemas.calibration import Costs

PLANTED = {"yaw": 0.5, "noise": 0.2, "motion": 0.3}
"""Cost of these at their worst; all other factors vary and cost nothing."""


def severities_of(count, seed=0, factors=FACTORS):
    """Half of the samples have none of a factor, the others any strength up to 10."""
    random = np.random.default_rng(seed)
    drawn = random.uniform(-10, 10, (len(factors), count)).clip(0).astype(np.float32)
    return dict(zip(factors, drawn, strict=True))


def recognition_of(severities, noise=0.05, seed=1):
    count = len(severities["yaw"])
    loss = sum(cost * severities[name] / 10 for name, cost in PLANTED.items())
    return (0.9 - loss + np.random.default_rng(seed).normal(0, noise, count)).astype(np.float32)


def at_top(costs):
    return {cost.factor: cost.at_top for cost in costs.factors}


def test_planted_costs_are_found():
    severities = severities_of(6000)
    costs = fit_costs(severities, recognition_of(severities))
    found = at_top(costs)
    for name, cost in PLANTED.items():
        assert found.pop(name) == pytest.approx(cost, abs=0.02)
    assert max(found.values()) < 0.02
    assert costs.constant == pytest.approx(0.1, abs=0.03)


def test_a_cost_that_begins_late_bends():
    severities = severities_of(6000, factors=("yaw",))
    late = np.maximum(severities["yaw"] - 7, 0) / 3 * 0.6
    (cost,) = fit_costs(severities, (0.9 - late).astype(np.float32)).factors
    assert cost.at_top == pytest.approx(0.6, abs=0.03)
    early = Costs(constant=0, factors=[cost])
    assert kept(early, {"yaw": np.array([3.0], np.float32)})[0] > 0.95


@pytest.mark.parametrize("seed", range(3))
def test_what_is_kept_falls_along_every_factor_whatever_the_samples_say(seed):
    """Recognition may by chance, or by fault, be better under harm; the label may not."""
    severities = severities_of(300, seed)
    random = np.random.default_rng(seed)
    costs = fit_costs(severities, random.uniform(-0.2, 1, 300).astype(np.float32) + severities["blur"] / 20)
    assert all(weight >= 0 for cost in costs.factors for weight in cost.weights)
    assert "blur" not in at_top(costs)
    for name in FACTORS:
        rising = {other: np.zeros(50, np.float32) for other in FACTORS}
        rising[name] = np.linspace(0, 20, 50, dtype=np.float32)
        told = kept(costs, rising)
        assert (np.diff(told) <= 0).all()
        assert told[0] == 1


def test_what_is_kept_lies_in_0_to_1():
    severities = severities_of(500)
    costs = fit_costs(severities, recognition_of(severities))
    told = kept(costs, {name: 10 * values for name, values in severities.items()})
    assert told.min() == 0
    assert told.max() <= 1


def test_chunks_leave_no_trace(monkeypatch):
    severities = severities_of(3000)
    recognition = recognition_of(severities)
    whole = fit_costs(severities, recognition)
    monkeypatch.setattr(label_costs, "CHUNK", 97)
    parts = fit_costs(severities, recognition)
    assert parts == whole
    np.testing.assert_array_equal(kept(parts, severities), kept(whole, severities))


def test_the_order_of_samples_leaves_no_trace():
    severities = severities_of(3000)
    recognition = recognition_of(severities)
    order = np.random.default_rng(5).permutation(3000)
    again = fit_costs({name: values[order] for name, values in severities.items()}, recognition[order])
    assert again == fit_costs(severities, recognition)


def test_what_is_kept_of_a_sample_does_not_depend_on_what_comes_with_it():
    severities = severities_of(40)
    costs = fit_costs(severities, recognition_of(severities))
    together = kept(costs, severities)
    alone = [kept(costs, {name: values[[row]] for name, values in severities.items()})[0] for row in range(40)]
    np.testing.assert_array_equal(alone, together)


def test_a_factor_that_never_varies_has_no_cost():
    severities = severities_of(400) | {"jpeg": np.full(400, 0.24, np.float32), "gaze": np.zeros(400, np.float32)}
    assert {"jpeg", "gaze"} & set(at_top(fit_costs(severities, recognition_of(severities)))) == set()


def test_a_factor_of_one_strength_bends_only_at_0():
    severities = severities_of(400) | {"yaw": np.repeat(np.float32([0, 5]), 200)}
    (cost,) = (c for c in fit_costs(severities, recognition_of(severities)).factors if c.factor == "yaw")
    assert cost.knots == [0]
    assert cost.top == 5


def test_nothing_that_varies_leaves_a_constant():
    costs = fit_costs({name: np.zeros(3, np.float32) for name in FACTORS}, np.float32([0.7, 0.8, 0.9]))
    assert costs == Costs(constant=0.2, factors=[])
    assert kept(costs, {name: np.zeros(3, np.float32) for name in FACTORS}).tolist() == [1, 1, 1]


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 40), st.integers(0, 10_000))
def test_costs_come_back_from_json_to_the_last_bit(count, seed):
    severities = severities_of(count, seed)
    costs = fit_costs(severities, recognition_of(severities, seed=seed))
    assert Costs.model_validate_json(costs.model_dump_json()) == costs
