"""The closing lines: the figures that matter, with their setting, or plainly undefined."""

from synfiqa.jobs.terminal.summary import evaluation_lines

EVALUATION = {
    "spearman": {"model": 0.8126, "sharpness": 0.2},
    "identities": 16,
    "n_genuine": 4416,
    "n_impostor": 69120,
    "pairs": "probe-reference",
    "headline": {
        "embedder": "bundled-b",
        "mode": "leaderboard",
        "fmr": 0.01,
        "methods": {
            "model": {"pauc": 0.7, "interval": {"low": 0.65, "high": 0.75}},
            "sharpness": {"pauc": None, "interval": None},
        },
    },
}


def test_lines_say_value_interval_and_setting():
    spearman, pauc = evaluation_lines(EVALUATION)
    assert "0.813 of model and label on 16 held-out identities" in spearman
    assert "model 0.700 [0.650, 0.750], sharpness undefined" in pauc
    assert "FMR 0.01, leaderboard mode, bundled-b, probe-reference pairs, 4416 genuine and 69120 impostor" in pauc
