"""Generators are numpy's Philox with the seed as its key, whatever way they are made."""

import pickle

import numpy as np
import pytest

from synfiqa.schemas.seeds import derive_seed, generator


@pytest.mark.parametrize("seed", [0, 1, 2**32 + 5, 2**63 - 1, derive_seed(7, "sample", 3)])
def test_a_generator_has_its_seed_as_the_key_of_philox(seed):
    ours, theirs = generator(seed), np.random.Generator(np.random.Philox(key=seed))
    assert np.array_equal(ours.bit_generator.state["state"]["key"], theirs.bit_generator.state["state"]["key"])
    for draw in (
        lambda rng: rng.random(100),
        lambda rng: rng.standard_normal(100),
        lambda rng: rng.integers(9, size=50),
    ):
        np.testing.assert_array_equal(draw(ours), draw(theirs))


def test_a_generator_can_be_stored_in_the_middle_of_its_numbers():
    rng = generator(3)
    rng.random(5)
    again = pickle.loads(pickle.dumps(rng))
    np.testing.assert_array_equal(again.random(5), rng.random(5))
