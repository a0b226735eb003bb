"""The filter's rules: which candidate is rejected, for which reason, with which value."""

import math

import pytest

from actors.identity_filter import Measured, judge
from schemas.config import FilterSection

GOOD = {"detection": 0.99, "yaw": 3.0, "expression": 0.0, "glasses": 0.0}
RULES = FilterSection()


def test_a_clean_frontal_neutral_face_passes():
    assert judge(Measured(**GOOD), RULES)[0] == ""


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("detection", 0.69, "no_face"),
        ("detection", math.nan, "no_face"),
        ("yaw", 20.0, "yaw"),
        ("yaw", -35.0, "yaw"),
        ("expression", 0.26, "expression"),
        ("glasses", 0.9, "glasses"),
    ],
)
def test_each_rule_names_its_reason_and_keeps_the_measured_value(field, value, reason):
    why, kept = judge(Measured(**{**GOOD, field: value}), RULES)
    assert why == reason
    assert kept == value or math.isnan(value)


@pytest.mark.parametrize(
    ("field", "value"), [("yaw", -19.99), ("expression", 0.25), ("glasses", 0.5), ("detection", 0.7)]
)
def test_limits_themselves_pass_except_yaw(field, value):
    assert judge(Measured(**{**GOOD, field: value}), RULES)[0] == ""
