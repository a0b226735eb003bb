"""The rule of labels along ladders, on made-up figures."""

import pytest

from benchmarks.quality.camera_ladders.label_table import label_table, verdict
from benchmarks.quality.camera_ladders.rule import LadderFigures, breaks_rule, broken


def ladder(name, labels, teacher, other=(1.0, 0.9)):
    return LadderFigures(name, (0, 0.5), labels, (1.0, 0.75), {"teacher": teacher, "other": other})


BLIND = ladder("blind", (0.9, 0.855), (0.99, 0.02))
HALVED = ladder("halved", (0.9, 0.44), (0.99, 0.02))
MILD = ladder("mild", (0.9, 0.88), (0.99, 0.1))


def test_a_label_that_stays_where_recognition_is_ruined_breaks_the_rule():
    assert breaks_rule(BLIND, "teacher")
    assert not breaks_rule(HALVED, "teacher")
    assert not breaks_rule(MILD, "teacher")  # 0.1 is not below a tenth of 0.99
    assert broken([BLIND, HALVED, MILD], "teacher") == ["blind"]


def test_the_rule_is_that_of_one_judge():
    assert broken([BLIND, HALVED], "other") == []
    assert broken([ladder("seen", (0.9, 0.8), (0.99, 0.9), (0.5, 0.04))], "other") == ["seen"]


def test_half_of_the_label_is_too_much():
    assert breaks_rule(ladder("half", (0.8, 0.4), (1.0, 0.0)), "teacher")
    assert not breaks_rule(ladder("less", (0.8, 0.399), (1.0, 0.0)), "teacher")


def test_the_table_has_shares_rates_and_the_rule():
    rows = label_table([BLIND, HALVED, MILD], "teacher").splitlines()
    assert "TAR by teacher (teacher) | TAR by other |" in rows[0]
    assert rows[1].count("---") == rows[0].count("|") - 1
    assert rows[2] == "| blind | 0.5 | 0.85 | 0.95 | 0.75 | 0.02 | 0.90 | broken |"
    assert [row.split("|")[-2].strip() for row in rows[3:]] == ["kept", "does not apply"]


def test_the_verdict_names_what_breaks_the_rule():
    assert verdict([BLIND, HALVED], ["teacher", "other"]).splitlines() == [
        "By teacher 1 of 2 break the rule: blind.",
        "By other 0 of 2 break the rule.",
    ]


def test_shares_are_of_the_clean_label():
    assert BLIND.kept == pytest.approx([1, 0.95])
