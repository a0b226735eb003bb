"""What the bars read from a run's evaluation."""

import json
import math

import pytest

from benchmarks.quality.face_bars.fiqa import bars_of, read_evaluation
from synfiqa.schemas.errors import UserError

INTERVAL = {"low": 0.5, "high": 0.7, "used": 200, "resamples": 200}


def evaluation(fmrs=(1e-3, 1e-2)):
    def result(embedder, independent, mode, fmr, pauc):
        methods = {"model": pauc, "label": 0.4, "sharpness": 0.9, "random": 1.0}
        return {
            "embedder": embedder,
            "independent": independent,
            "mode": mode,
            "fmr": fmr,
            "discard_limit": 0.3,
            "fnmr0": 0.2,
            "methods": {name: {"pauc": value, "interval": INTERVAL} for name, value in methods.items()},
            "differences": [
                {"method": "model", "other": "random", "difference": pauc - 1.0, "interval": None},
                {"method": "model", "other": "sharpness", "difference": pauc - 0.9, "interval": INTERVAL},
            ],
        }

    rows = [("bundled-b", True, 0.65), ("bundled-a", False, 0.1)]
    results = [
        result(name, independent, mode, fmr, pauc)
        for name, independent, pauc in rows
        for mode in ("leaderboard", "fixed")
        for fmr in fmrs
    ]
    return {"identities": 45, "degraded": 900, "spearman": {"model": 0.93, "sharpness": 0.2}, "results": results}


def test_the_independent_network_judges_in_both_modes_at_both_rates():
    bars = bars_of(evaluation())
    assert len(bars) == 1 + 2 * 4
    assert bars[0].met
    assert {bar.value for bar in bars[1:] if bar.limit == 0.70} == {0.65}
    assert {round(bar.value, 6) for bar in bars[1:] if bar.limit == -0.24} == {-0.25}
    assert {bar.interval for bar in bars[1:]} == {(0.5, 0.7)}


def test_a_rate_that_was_not_evaluated_meets_nothing():
    bars = bars_of(evaluation(fmrs=(1e-2,)))
    missing = [bar for bar in bars if math.isnan(bar.value)]
    assert len(missing) == 4
    assert not any(bar.met for bar in missing)


def test_a_run_without_an_evaluation_is_told_the_way_out(tmp_path):
    with pytest.raises(UserError, match="run `synfiqa evaluate` first"):
        read_evaluation(str(tmp_path), "default")
    folder = tmp_path / "models" / "default"
    folder.mkdir(parents=True)
    (folder / "evaluation.json").write_text(json.dumps(evaluation()))
    assert read_evaluation(str(tmp_path), "default")["identities"] == 45
