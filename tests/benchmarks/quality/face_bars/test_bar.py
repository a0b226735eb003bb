"""What the table of bars says of a value, and what several runs make of it."""

import json
import math

import pytest

from benchmarks.quality.face_bars.bar import Bar, medians, table, to_json


@pytest.mark.parametrize(
    ("value", "limit", "sense", "met"),
    [
        (0.5, 0.5, "<=", True),
        (0.6, 0.5, "<=", False),
        (0.5, 0.5, ">=", True),
        (0.4, 0.5, ">=", False),
        (math.nan, 0.5, "<=", False),
        (math.nan, None, "<=", None),
        (3.0, None, ">=", None),
    ],
)
def test_a_value_is_held_against_its_limit(value, limit, sense, met):
    assert Bar("subject", "name", value, limit, sense).met is met


def test_the_table_shows_unmet_bars_and_counts_only_those_with_a_limit():
    bars = [
        Bar("one", "fast", 4.25, 9, unit="ms", note="by pose"),
        Bar("one", "share", 0.9, 0.95, ">="),
        Bar("two", "told", 7.0),
        Bar("two", "absent", math.nan, 1),
    ]
    lines = table(bars).splitlines()
    assert [line.split()[1] for line in lines if line.startswith("--")] == ["one", "two"]
    assert lines[1].split() == ["fast", "4.25", "ms", "<=", "9", "met", "by", "pose"]
    assert lines[2].split() == ["share", "0.9", ">=", "0.95", "NOT", "MET"]
    assert lines[4].split() == ["told", "7"]
    assert "no value" in lines[5]
    assert lines[5].endswith("NOT MET")
    assert lines[6] == "1 of 3 bars met"


def test_small_shares_are_not_rounded_to_nothing():
    assert "1.0e-04" in Bar("s", "n", 1e-4, 1e-4).line()
    assert Bar("s", "n", 0.0, 1e-4).line().split()[1] == "0"


def test_medians_of_runs_keep_each_runs_value():
    runs = [[Bar("s", "pauc", value, 0.7), Bar("s", "rho", 1 - value, 0.3, ">=")] for value in (0.8, 0.6, 0.65)]
    pauc, rho = medians(runs)
    assert pauc.value == 0.65
    assert pauc.met
    assert pauc.note == "median of 0.8, 0.6, 0.65"
    assert rho.value == pytest.approx(0.35)
    assert medians(runs[:1]) == runs[0]


def test_intervals_are_shown_beside_the_value_and_of_every_run():
    runs = [[Bar("s", "pauc", value, interval=(value - 0.1, value + 0.1), note="paired")] for value in (0.6, 0.8)]
    assert runs[0][0].line().endswith("[0.500, 0.700] paired")
    assert medians(runs)[0].note == "median of 0.6 [0.500, 0.700], 0.8 [0.700, 0.900]"
    assert medians(runs)[0].interval is None


def test_a_figure_that_one_run_lacks_has_no_median():
    full, short = [Bar("s", "a", 1.0, 2), Bar("s", "b", 1.0, 2)], [Bar("s", "a", 3.0, 2)]
    lacking = medians([full, short, full])[1]
    assert math.isnan(lacking.value)
    assert not lacking.met


def test_json_has_verdicts_and_no_nan():
    written = to_json([Bar("s", "a", math.nan, 2), Bar("s", "b", 1.0, 2)], {"seed": 3})
    assert json.loads(json.dumps(written, allow_nan=False))["settings"] == {"seed": 3}
    assert [(row["value"], row["met"]) for row in written["bars"]] == [(None, False), (1.0, True)]
