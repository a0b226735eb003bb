"""The closing lines: the figures that matter, with their setting, or plainly undefined."""

from synfiqa.jobs.terminal.summary import evaluation_lines
from tests.schemas.results import by_network, comparison, evaluation, interval, method

METHODS = {"model": method(0.7, interval(0.65, 0.75)), "sharpness": method(None)}
EVALUATION = evaluation(
    [by_network("bundled-b", True, comparison("leaderboard", 0.01, METHODS))], {"model": 0.8126, "sharpness": 0.2}
)


def test_lines_say_value_interval_and_setting():
    spearman, pauc = evaluation_lines(EVALUATION)
    assert "0.813 of model and label on 16 held-out identities" in spearman
    assert "model 0.700 [0.650, 0.750], sharpness undefined" in pauc
    assert "FMR 0.01, leaderboard mode, bundled-b, probe-reference pairs, 4416 genuine and 69120 impostor" in pauc


def test_every_judge_that_did_not_label_has_a_line():
    results = [
        by_network("bundled-b", True, comparison("leaderboard", 0.01, METHODS)),
        by_network("dlib", True, comparison("leaderboard", 0.01, {"model": method(0.8)})),
        by_network("dlib", True, comparison("iso", 0.01, {"model": method(0.9)})),
        by_network("bundled-a", False, comparison("leaderboard", 0.01, {"model": method(0.4)})),
    ]
    lines = evaluation_lines(evaluation(results, {"model": 0.8}))
    assert len(lines) == 3
    assert lines[2] == "judge      dlib: model 0.800"


def test_a_marked_evaluation_says_so_before_any_figure():
    seen = EVALUATION.model_copy(update={"seen": True, "seen_by": ["model", "mine"]})
    assert evaluation_lines(seen)[0] == "SEEN       model, mine may have learned from these identities: not held out"
