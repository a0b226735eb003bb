"""Scoring: the figures of the EDC, and what each step of a ladder costs."""

import json

import numpy as np
import pytest

from synfiqa.fiqa_train.evaluation.pairs import PairTable, embed_flipped, pair_similarity
from synfiqa.fiqa_train.rendered_benchmark.folder import Benchmark
from synfiqa.fiqa_train.rendered_benchmark.pairs import pair_positions
from synfiqa.fiqa_train.rendered_benchmark.score import mean_genuine, measure


class Pixels:
    """Embeds a face as a coarse picture of itself."""

    name = "pixels"

    def embed(self, images):
        coarse = images[:, ::8, ::8].reshape(len(images), -1).astype(np.float32) - 128
        return coarse / np.linalg.norm(coarse, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def measured(small):
    benchmark = Benchmark.open(small)
    vectors = embed_flipped(Pixels(), np.concatenate(list(benchmark.chunks())))
    steps = benchmark.images["step"].to_numpy().astype(np.float64)
    table = pair_positions(benchmark.pairs, benchmark.images["path"].to_pylist())
    oracle = mean_genuine(pair_similarity(vectors, table), table, len(vectors))
    qualities = {
        "model": -steps,
        "oracle": np.nan_to_num(oracle, nan=1.0),
        "reversed": -np.nan_to_num(oracle, nan=-1.0),
        "random": np.random.default_rng(0).random(len(steps)),
    }
    # three people give 72 impostor pairs: enough for neither rate, so the test asks for one that they show
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("synfiqa.fiqa_train.rendered_benchmark.score.FMRS", (0.001, 0.05))
        return measure(benchmark, vectors, qualities, 20, [("model", "random")])


def test_figures_of_both_modes_with_intervals(measured):
    assert [(result.mode, result.fmr) for result in measured.results] == [
        ("leaderboard", 0.05),
        ("iso", 0.05),
    ]
    assert [entry.fmr for entry in measured.skipped] == [0.001]
    for result in measured.results:
        assert result.n_genuine == result.n_impostor == 72
        assert result.methods["oracle"].pauc < result.methods["reversed"].pauc - 0.1
        assert result.methods["model"].interval.resamples == 20
    json.dumps(measured.model_dump(mode="json"), allow_nan=False)


def test_every_step_of_every_ladder(measured):
    factors = measured.factors
    assert list(factors) == ["clean", "yaw", "noise", "mixed"]
    assert [step.level for step in factors["yaw"].steps] == [15, 30, 45, 60, 75]
    assert [step.probes for step in factors["yaw"].steps] == [3] * 5
    assert factors["clean"].steps[0].similarity > factors["yaw"].steps[-1].similarity
    assert factors["noise"].steps[1].quality["model"] == -2
    for name in ("yaw", "noise"):
        assert factors[name].falls["model"] == -1
        assert factors[name].falls["random"] > -0.9
    assert factors["yaw"].falls["oracle"] == factors["yaw"].falls["similarity"]
    assert factors["mixed"].falls is None
    assert "falls" not in factors["mixed"].model_dump(mode="json")
    assert measured.spearman["oracle"] == pytest.approx(1)
    shares = [step.fnmr for factor in factors.values() for step in factor.steps]
    weights = [step.probes for factor in factors.values() for step in factor.steps]
    assert np.average(shares, weights=weights) == pytest.approx(measured.results[0].fnmr0, abs=1e-3)


def test_too_few_pairs_are_a_sentence(small):
    benchmark = Benchmark.open(small)
    count = benchmark.images.num_rows
    with pytest.raises(ValueError, match="100 impostor pairs"):
        measure(benchmark, np.ones((count, 2)), {"model": np.zeros(count)}, 0)


def test_mean_over_the_own_references():
    table = PairTable(np.array([0, 1, 0]), np.array([2, 2, 3]), np.array([True, True, False]))
    found = mean_genuine(np.array([0.5, 0.7, 0.1]), table, 4)
    assert found[2] == pytest.approx(0.6)
    assert np.isnan(found[[0, 1, 3]]).all()
