"""The lines of an evaluation on a test set carry every setting of a figure, and name what is left out."""

from synfiqa.jobs.terminal.set_text import set_lines
from synfiqa.schemas.evaluation import Headline, SetEvaluation
from tests.schemas.results import EVALUATED, by_network, comparison, interval, method

SET = {
    "name": "lfw",
    "format": "InsightFace .bin",
    "sha256": "8" * 64,
    "protocol": "the pairs of the file",
    "crops": "x",
}


def evaluation(**changes):
    methods = {"model": method(0.8, interval(0.7, 0.9)), "random": method(None)}
    results = [by_network("bundled-b", True, comparison("leaderboard", 0.001, methods))]
    first = results[0].model_dump(include={"embedder", "mode", "fmr", "discard_limit", "fnmr0"})
    whole = {
        "basis": {**EVALUATED, "test_set": SET},
        "name": "default",
        "images": 12,
        "templates": None,
        "identities": 5,
        "identities_from": "linked by genuine pairs",
        "without_face": 0,
        "left_out": [],
        "pairs_left_out": 0,
        "n_genuine": 4416,
        "n_impostor": 69120,
        "impostors_sampled": False,
        "pairs": "listed",
        "repeated_pairs": 0,
        "contradictory_pairs": 0,
        "scorers_left_out": [],
        "results": results,
        "skipped": [],
        "headline": Headline(**first, methods={}),
    }
    return SetEvaluation(**whole | changes)


def test_every_figure_has_its_settings_in_its_row():
    lines = set_lines(evaluation())
    assert lines[:2] == [
        "lfw: InsightFace .bin, 12 images of 5 identities (linked by genuine pairs); x",
        "  pairs listed: the pairs of the file",
    ]
    assert lines[-2].split() == ["judge", "mode", "FMR", "R", "F_0", "genuine", "impostor", "model", "random"]
    expected = "bundled-b leaderboard 0.001 0.3 0.2000 4416 69120 0.800 [0.700, 0.900] undefined"
    assert lines[-1].split() == expected.split()
    assert not any("left out" in line for line in lines)


def test_what_is_left_out_is_counted_and_named():
    missing = [{"name": f"i{k}", "reason": "no face found"} for k in range(7)]
    lines = set_lines(
        evaluation(
            templates=3,
            without_face=7,
            left_out=missing,
            pairs_left_out=40,
            impostors_sampled=True,
            scorers_left_out=[{"name": "label", "reason": "it is the label of the run's samples"}],
            skipped=[{"fmr": 1e-5, "reason": "Too few pairs."}],
        )
    )
    assert "3 templates" in lines[0]
    assert lines[1].startswith("  pairs listed (impostors sampled)")
    assert lines[2] == "  left out: 7 images without a face (i0, i1, i2, i3, i4 and others) and 40 pairs with them"
    assert lines[3] == "  left out: scorer label, since it is the label of the run's samples"
    assert lines[4] == "  left out: FMR 1e-05. Too few pairs."
