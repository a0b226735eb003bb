"""What the bars read from a run's evaluation."""

import math

import pytest

from benchmarks.quality.face_bars.fiqa import bars_of, read_evaluation
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.evaluation import Difference, file_content
from tests.schemas import results

INTERVAL = results.interval(0.5, 0.7)


def evaluation(fmrs=(1e-3, 1e-2)):
    def result(embedder, independent, mode, fmr, pauc):
        methods = {"model": pauc, "label": 0.4, "sharpness": 0.9, "random": 1.0}
        differences = (
            Difference(method="model", other="random", difference=pauc - 1.0, interval=None),
            Difference(method="model", other="sharpness", difference=pauc - 0.9, interval=INTERVAL),
        )
        curves = {name: results.method(value, INTERVAL) for name, value in methods.items()}
        return results.by_network(embedder, independent, results.comparison(mode, fmr, curves, differences))

    rows = [("bundled-b", True, 0.65), ("bundled-a", False, 0.1)]
    found = [
        result(name, independent, mode, fmr, pauc)
        for name, independent, pauc in rows
        for mode in ("leaderboard", "iso")
        for fmr in fmrs
    ]
    return results.evaluation(found, {"model": 0.93, "sharpness": 0.2}, identities=45, degraded=900)


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
    (folder / "evaluation.json").write_bytes(file_content(evaluation()))
    assert read_evaluation(str(tmp_path), "default") == evaluation()


@pytest.mark.parametrize(
    ("content", "told"), [("{}", "of a version without number"), ("{", "damaged"), ('{"version": 1}', "damaged")]
)
def test_an_evaluation_that_cannot_be_read_is_refused_with_the_way_out(tmp_path, content, told):
    folder = tmp_path / "models" / "default"
    folder.mkdir(parents=True)
    (folder / "evaluation.json").write_text(content)
    with pytest.raises(UserError, match=rf"is {told}.*; run `synfiqa evaluate` again"):
        read_evaluation(str(tmp_path), "default")
