import sys

import pytest

from benchmarks.quality.benchmark_tables import factor_rows, main, pauc_table
from synfiqa.schemas.evaluation import file_content
from tests.schemas.results import comparison, interval, method, scores


def result(mode, fmr, pauc, bounds):
    return comparison(mode, fmr, {"model": method(pauc, bounds)})


STEP = {"step": 0, "level": None, "probes": 3, "similarity": 0.9123, "fnmr": 0.004, "quality": {"model": 0.5}}
SCORES = scores(
    [
        result("iso", 1e-3, 0.6, interval(0.5, 0.7)),
        result("leaderboard", 1e-3, 1.0014, interval(0.95, 1.1)),
        result("leaderboard", 1e-2, None, None),
    ],
    {"model": -0.0132},
    {
        "clean": {"steps": [STEP]},
        "yaw": {
            "steps": [STEP, STEP | {"step": 1, "level": 15, "similarity": 0.5, "fnmr": 0.586}],
            "falls": {"similarity": -0.996, "model": -0.0001},
        },
    },
)


def test_figures_stand_by_mode_and_rate_as_the_document_writes_them():
    assert pauc_table(SCORES) == [
        "| | leaderboard, FMR 0.1 % | leaderboard, FMR 1 % | iso, FMR 0.1 % | Spearman |",
        "|---|---|---|---|---|",
        "| model | 1.001 [0.950, 1.100] | undefined | 0.600 [0.500, 0.700] | -0.013 |",
    ]


def test_each_factor_is_a_row_and_only_ladders_fall():
    assert factor_rows(SCORES)[2:] == ["| clean | 0.91 | 0 |  |  |", "| yaw | 0.91 0.50 | 0 59 | -1.00 | 0.00 |"]


def test_a_file_that_is_not_there_is_told_in_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["benchmark_tables", str(tmp_path / "none.json")])
    with pytest.raises(SystemExit, match=r"make it with `synfiqa benchmark score"):
        main()


@pytest.mark.parametrize("content", ["{}", "[]", '{"version": 2}', '{"version": 1, "results": []}'])
def test_another_json_is_not_taken_for_scores(tmp_path, monkeypatch, content):
    path = tmp_path / "evaluation.json"
    path.write_text(content)
    monkeypatch.setattr(sys, "argv", ["benchmark_tables", str(path)])
    with pytest.raises(SystemExit, match=r"holds no scores"):
        main()


def test_the_command_prints_both_tables(tmp_path, monkeypatch, capsys):
    path = tmp_path / "scores.json"
    path.write_bytes(file_content(SCORES))
    monkeypatch.setattr(sys, "argv", ["benchmark_tables", str(path)])
    main()
    printed = capsys.readouterr().out
    assert "| model | 1.001" in printed
    assert "| yaw |" in printed
