"""Verification pairs and similarities: complete, counted, seeded, and mirrored as published."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synfiqa.fiqa_train.evaluation.pairs import (
    BLOCK,
    PairTable,
    count_pairs,
    embed_flipped,
    enumerate_pairs,
    pair_similarity,
    probe_reference_pairs,
    recognition_of,
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 5), min_size=0, max_size=25))
def test_every_pair_is_there_once(identities):
    table = enumerate_pairs(np.array(identities, np.int64))
    found = {(a, b): kind for a, b, kind in zip(table.first, table.second, table.genuine, strict=True)}
    wanted = {(a, b): identities[a] == identities[b] for a, b in itertools.combinations(range(len(identities)), 2)}
    assert found == wanted
    assert len(table.first) == len(wanted)
    assert count_pairs(np.array(identities, np.int64)) == (sum(wanted.values()), len(wanted) - sum(wanted.values()))


def test_sampled_impostors_are_distinct_true_impostors_and_seeded():
    identities = np.random.default_rng(0).permutation(np.repeat(np.arange(20), 10))
    first, again, other = (enumerate_pairs(identities, 3000, seed) for seed in (0, 0, 1))
    impostors = list(zip(first.first[~first.genuine], first.second[~first.genuine], strict=True))
    assert len(impostors) == len(set(impostors)) == 3000
    assert all(a < b and identities[a] != identities[b] for a, b in impostors)
    assert first.genuine.sum() == 20 * 45, "genuine pairs are never sampled"
    np.testing.assert_array_equal(first.first, again.first)
    assert not np.array_equal(first.first, other.first)
    uses = np.bincount(np.ravel(impostors), minlength=200)
    assert uses.min() > 8, "every image takes part"


class Halves:
    """An embedder that sees the mean of the left and of the right half, at any scale."""

    name = "halves"

    def embed(self, images):
        halves = np.stack([images[:, :, :56].mean(axis=(1, 2, 3)), images[:, :, 56:].mean(axis=(1, 2, 3))], 1)
        return (halves * 3).astype(np.float32)


def test_the_embedding_holds_image_and_mirror_image_side_by_side():
    images = np.zeros((70, 112, 112, 3), np.uint8)
    images[:, :, :56] = 200
    vectors = embed_flipped(Halves(), images, batch=32)
    assert vectors.shape == (70, 4)
    np.testing.assert_allclose(vectors[69], np.array([1, 0, 0, 1]) / np.sqrt(2), atol=1e-6)


def test_similarity_is_the_mean_cosine_of_both_sides():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (6, 112, 112, 3), np.uint8)
    table = enumerate_pairs(np.array([0, 0, 1, 1, 2, 2]))
    similarity = pair_similarity(embed_flipped(Halves(), images), table)

    def unit(x):
        vectors = Halves().embed(x)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    plain, mirrored = unit(images), unit(images[:, :, ::-1])
    expected = [
        (plain[a] @ plain[b] + mirrored[a] @ mirrored[b]) / 2 for a, b in zip(table.first, table.second, strict=True)
    ]
    assert similarity == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("share", [1.0, 0.002])
def test_similarity_by_matrices_is_that_of_each_pair(share):
    """Both ways: blocks of which most pairs are wanted, and blocks of which few are; pairs in any order."""
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(BLOCK + 45, 32)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    whole = enumerate_pairs(np.arange(len(vectors)) // 3)
    kept = rng.permutation(len(whole.first))[: int(share * len(whole.first))]
    table = PairTable(whole.second[kept], whole.first[kept], whole.genuine[kept])
    expected = (vectors[table.first] * vectors[table.second]).sum(axis=1)
    np.testing.assert_allclose(pair_similarity(vectors, table), expected, atol=1e-6)


def test_probe_reference_pairs_join_a_reference_and_a_probe_and_keep_their_truth():
    identities = np.array([0, 0, 0, 1, 1])
    is_reference = np.array([True, False, False, True, False])
    table = probe_reference_pairs(enumerate_pairs(identities), is_reference)
    pairs = set(zip(table.first.tolist(), table.second.tolist(), table.genuine.tolist(), strict=True))
    assert pairs == {(0, 1, True), (0, 2, True), (3, 4, True), (0, 4, False), (1, 3, False), (2, 3, False)}


def test_recognition_is_the_mean_cosine_to_the_other_references_of_the_identity():
    angles = np.radians([0.0, 60.0, 90.0, 180.0, 10.0, 20.0])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    found = recognition_of(vectors, np.array([4, 4, 4, 7, 9, 9]), np.array([True, True, False, True, False, False]))
    first, second, probe, alone, *without = found
    assert (first, second) == pytest.approx((0.5, 0.5), abs=1e-6)
    assert probe == pytest.approx((0 + np.cos(np.radians(30))) / 2, abs=1e-6)
    assert np.isnan(alone)
    assert np.isnan(without).all()
