"""Identities from pairs alone, and pairs that are doubled or contradict others."""

import numpy as np

from synfiqa.fiqa_train.datasets.pair_table import (
    contradictory_pairs,
    linked_identities,
    ordered_pairs,
    repeated_pairs,
)


def table(*rows):
    first, second, genuine = zip(*rows, strict=True)
    return ordered_pairs(np.array(first), np.array(second), np.array(genuine))


def test_genuine_pairs_link_images_to_identities():
    pairs = table((0, 1, 1), (2, 1, 1), (3, 4, 1), (0, 3, 0), (5, 0, 0))
    found = linked_identities(pairs, 7)
    groups = {frozenset(np.flatnonzero(found == one).tolist()) for one in set(found.tolist())}
    assert groups == {frozenset({0, 1, 2}), frozenset({3, 4}), frozenset({5}), frozenset({6})}


def test_lower_positions_come_first_and_repeats_and_contradictions_are_counted():
    pairs = table((4, 1, 1), (1, 4, 1), (1, 4, 0), (0, 2, 0))
    assert (pairs.first < pairs.second).all()
    assert repeated_pairs(pairs, 5) == 2
    assert contradictory_pairs(pairs, linked_identities(pairs, 5)) == 1
