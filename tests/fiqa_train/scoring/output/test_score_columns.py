"""Rows of scores: one a face, readable with several scorers, and never NaN."""

import math

import numpy as np
import pytest

from synfiqa.fiqa_train.scoring.output.score_columns import row_of, score_schema
from synfiqa.fiqa_train.scoring.output.scorer_column import ScorerColumn
from synfiqa.fiqa_train.scoring.photographs import Score
from synfiqa.fiqa_train.training.score_scale import score_scale

SCALE = score_scale(np.linspace(0, 1, 101), "a line")
SCORERS = [ScorerColumn("one", "aa", SCALE), ScorerColumn("two", "bb")]
FACE = Score("p.jpg", 1, 3, {"one": 0.25, "two": 7.5}, "", 0.99, (1.26, 2.0, 3.0, 4.0), None, 640)


def test_the_columns_are_those_of_the_page():
    assert score_schema(SCORERS[:1]).names == [
        *("path", "face", "faces", "score", "percentile", "scalar", "x0", "y0", "x1", "y1"),
        *("detection", "search_size", "reason", "model", "digest"),
    ]
    more = score_schema(SCORERS).names
    assert more[15:] == ["score:two", "percentile:two", "scalar:two", "digest:two"]
    assert score_schema(SCORERS, shots=True).names[3:6] == ["track", "rank", "time"]


def test_a_row_has_every_column_and_the_scale_of_each_scorer():
    row = row_of(FACE, SCORERS)
    assert list(row) == score_schema(SCORERS).names
    assert (row["score"], row["percentile"], row["model"], row["digest"]) == (0.25, 25.0, "one", "aa")
    assert row["scalar"] == round(SCALE.scalar(0.25), 2)
    assert (row["score:two"], row["percentile:two"], row["digest:two"]) == (7.5, None, "bb")
    assert (row["face"], row["faces"], row["x0"]) == (1, 3, 1.3)


def test_a_photograph_without_a_face_has_a_reason_and_no_face():
    row = row_of(Score("p.jpg", reason="no face found"), SCORERS)
    assert (row["face"], row["faces"], row["score"], row["score:two"]) == (None, 0, None, None)
    assert row["reason"] == "no face found"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_score_that_is_not_finite_is_a_reason(value):
    """NaN stood in the column of scores, and counted as scored."""
    row = row_of(Score("p.jpg", 0, 1, {"one": value, "two": 1.0}), SCORERS)
    assert (row["score"], row["percentile"], row["scalar"], row["score:two"]) == (None, None, None, 1.0)
    assert row["reason"] == "the score by one is not a finite number"


def test_a_name_that_is_not_utf8_is_escaped_in_its_cell():
    """One such file name made the whole CSV unreadable."""
    row = row_of(Score("caf\udce9.jpg", reason="caf\udce9.jpg is empty"), SCORERS)
    assert row["path"] == "caf\\xe9.jpg"
    assert row["reason"] == "caf\\xe9.jpg is empty"
