"""The table that `synfiqa score` prints at its end."""

import pytest

from synfiqa.fiqa_train.scoring.output.tally import Tally


def tally(count):
    rows = [{"score": number / 10, "faces": 1, "reason": None, "detection": None} for number in range(count)]
    table = Tally()
    for row in rows:
        table.add([row])
    return table


@pytest.mark.parametrize(("count", "first"), [(1, "1 photograph in s.csv:"), (2, "2 photographs in s.csv:")])
def test_one_photograph_is_one(count, first):
    assert tally(count).lines("s.csv")[0] == first


def test_frames_of_a_video_too():
    assert tally(1).lines("s.csv", "frames")[0] == "1 frame in s.csv:"


def test_deciles_of_a_few_scores_are_not_printed():
    """The nine deciles of one photograph were nine times its score."""
    assert not any("deciles" in line for line in tally(9).lines("s.csv"))
    assert tally(11).lines("s.csv")[-1] == "  deciles 1-9  0.100 0.200 0.300 0.400 0.500 0.600 0.700 0.800 0.900"
