"""Rows that contradict themselves, the recipe or each other are refused, by name and with the remedy."""

from dataclasses import replace

import pytest

from synfiqa.actors.degradation.degrade import OPERATORS
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.factors import FACTORS
from synfiqa.schemas.factors.capture import MISALIGNMENT, MOTION, NOISE
from synfiqa.schemas.factors.factor import Caption, Ladder, Severity
from synfiqa.schemas.factors.rules import check_factors, check_operators


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ([replace(NOISE, field="dust")], "row dust: a recipe has no such field; add it"),
        (
            [replace(NOISE, neutral=-1.0)],
            "row noise: the neutral value -1.0 lies outside of its range 0 to 80; correct",
        ),
        ([replace(NOISE, neutral="none")], "row noise: a range needs a number as neutral value, not 'none'; correct"),
        ([replace(MOTION, ladders=(Ladder("m", (4, 31), 0),))], "row motion: level 31 of the ladder m .* correct"),
        ([replace(MOTION, ladders=(Ladder("m", (), 0),))], "row motion: the ladder m has no levels; give"),
        ([NOISE, NOISE], "rows noise: field noise is used 2 times; rename"),
        (
            [NOISE, replace(MOTION, severities=(Severity("noise", ("motion",)),))],
            "noise, motion: severity noise is used",
        ),
        ([NOISE, replace(MOTION, fault=NOISE.fault)], "noise, motion: rate of a fault noise_rate is used 2 times"),
        ([NOISE, replace(MOTION, caption=Caption("grain", {}))], "noise, motion: subject of captions grain is used"),
        ([NOISE, replace(MOTION, ladders=(Ladder("m", (4,), 20),))], "noise, motion: place of a ladder 20 is used"),
    ],
)
def test_a_wrong_row_is_refused(wrong, named):
    with pytest.raises(UserError, match=named):
        check_factors(wrong)


def test_a_row_after_rendering_without_operator_is_refused():
    missing = {name: operator for name, operator in OPERATORS.items() if name != MISALIGNMENT.field}
    with pytest.raises(UserError, match="row misalignment: it has no operator; add one to OPERATORS"):
        check_operators(FACTORS, missing)
    with pytest.raises(UserError, match="operator dust has no factor row after rendering; add one"):
        check_operators(FACTORS, {**OPERATORS, "dust": len})
