"""The prefilter of 8-bit integers: its error bound, and what happens where its products are not exact."""

import numpy as np
import pytest

from synfiqa.actors.stages.uniqueness import int8
from synfiqa.actors.stages.uniqueness.accepted import AcceptedIdentities
from synfiqa.actors.stages.uniqueness.exact import largest_cosine


class Recorder:
    """Takes over scores as a Shortlist does, and keeps them."""

    def add(self, scores, first, slack, scale):
        self.cosines, self.slack, self.scale = scores * scale[:, None], slack, scale


@pytest.mark.parametrize("dimensions", [2, 3, 17, 128, 512, 2048])
@pytest.mark.parametrize("spread", ["even", "one component", "outlier"])
def test_no_score_is_further_from_the_cosine_than_its_slack(monkeypatch, dimensions, spread):
    monkeypatch.setattr(int8, "BLOCK", 64)
    rng = np.random.default_rng(dimensions)
    vectors = rng.normal(size=(80, dimensions))
    if spread == "one component":
        vectors *= 0.01
        vectors[np.arange(80), rng.integers(0, dimensions, 80)] = rng.choice([-1, 1], 80)
    if spread == "outlier":
        vectors[5] = 0
        vectors[5, 0] = 1
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    rows, candidates = vectors[:64], vectors[64:]
    packed, found = int8.Int8Rows(), Recorder()
    packed.add(rows)
    packed.score(candidates, 1.000001, found)
    true = candidates.astype(np.float64) @ rows.T.astype(np.float64)
    assert packed.count == 64
    assert (np.abs(found.cosines - true).max(axis=1) <= found.slack).all()
    assert found.slack.max() < 0.3


def test_products_are_tried_before_they_are_used():
    assert int8.int8_is_exact(128)
    assert not int8.int8_is_exact(1)
    assert not int8.int8_is_exact(4096), "sums would pass what float32 counts exactly"


@pytest.mark.parametrize("trouble", ["missing", "saturates"])
def test_without_exact_products_float32_takes_over(monkeypatch, trouble):
    def broken(levels):
        if trouble == "missing":
            raise RuntimeError("no such operator")
        return np.zeros(len(levels))

    monkeypatch.setattr(int8, "_pack", broken)
    monkeypatch.setattr(int8, "_products", lambda inputs, weights: np.zeros((len(inputs), len(weights)), np.float32))
    assert not int8.int8_is_exact(16)
    rows = np.eye(16, dtype=np.float32)
    identities = AcceptedIdentities(20, gemm_from=0, int8_from=0)
    identities.add(rows)
    assert list(identities.cosines(list(rows[:3]))) == [largest_cosine(rows, row) for row in rows[:3]]
