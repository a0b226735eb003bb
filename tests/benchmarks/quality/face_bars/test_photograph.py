"""The photograph's ladders are made of the face that the detector finds, and start clean."""

import numpy as np
import pytest

from benchmarks.quality.face_bars.bar import medians
from benchmarks.quality.face_bars.photograph import ANGLES, LADDERS, bars_of, ladders


@pytest.fixture(scope="module")
def spoilt():
    return dict(ladders())


def test_eight_steps_of_each_from_the_same_clean_face(spoilt):
    assert list(spoilt) == [*LADDERS, "in-plane rotation", "sunglasses"]
    clean = spoilt["blur"][0]
    for name, crops in spoilt.items():
        assert crops.shape == (2 if name == "sunglasses" else 8, 112, 112, 3)
        assert np.abs(crops[0].astype(int) - clean).max() <= 1
        assert len({crop.tobytes() for crop in crops}) == len(crops)


def test_the_face_is_turned_by_the_angle_and_filled_from_the_photograph(spoilt):
    clean, quarter = spoilt["in-plane rotation"][[0, -1]].astype(np.float32)
    assert ANGLES[-1] == 90

    rows, columns = np.mgrid[:112, :112]
    core = (rows - 55.5) ** 2 + (columns - 55.5) ** 2 < 50**2
    match = [np.corrcoef(np.rot90(clean, turns)[core].ravel(), quarter[core].ravel())[0, 1] for turns in range(4)]
    assert max(match) > 0.99
    assert int(np.argmax(match)) == 1
    assert quarter[-8:].std() > 3


class Counter:
    """A model whose score is the step of the ladder."""

    def __init__(self, direction):
        self._direction = direction

    def score(self, crops):
        return self._direction * np.arange(len(crops), dtype=float)


def test_a_model_that_falls_meets_every_bar_and_one_that_rises_none(spoilt):
    assert all(bar.met for bar in bars_of(Counter(-1), spoilt))
    assert not any(bar.met for bar in bars_of(Counter(1), spoilt))
    middle = medians([bars_of(Counter(direction), spoilt) for direction in (-1, 1, -1)])
    assert all(bar.met for bar in middle)
