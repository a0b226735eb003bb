"""What no training on portraits can use is named before it begins."""

from dataclasses import replace

import numpy as np
import pytest

from synfiqa.fiqa_train.training.dsl.portrait_set import KeptPortraits, require_split
from synfiqa.schemas.errors import UserError
from tests.fiqa_train.training.dsl.portraits import blurred, clean


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"image": np.zeros((60, 80, 3), np.uint8)}, "p: portrait clean has 80 x 60 pixels, less than the crop of 64"),
        (
            {"landmarks": np.full((68, 2), 200.0, np.float32)},
            r"has landmark \d+ at \(200.0, 200.0\), outside its image",
        ),
        ({"landmarks": np.full((68, 2), np.nan, np.float32)}, "not finite"),
        ({"landmarks": np.zeros((5, 2), np.float32)}, r"shape \(5, 2\)"),
        ({"score": float("nan")}, "has the score nan"),
    ],
)
def test_a_portrait_that_cannot_be_used_is_named(change, complaint):
    with pytest.raises(UserError, match=complaint):
        KeptPortraits.of([replace(clean(), **change)], 64, "p")


def test_equal_scores_and_single_portraits_are_refused():
    equal = KeptPortraits([replace(item, score=0.5) for item in blurred(4)])
    with pytest.raises(UserError, match=r"the split: all 4 scores are 0.5"):
        require_split(equal, "the split")
    with pytest.raises(UserError, match="has 1 portraits"):
        require_split(KeptPortraits(blurred(1)), "the split")
    require_split(KeptPortraits(blurred(4)), "the split")
