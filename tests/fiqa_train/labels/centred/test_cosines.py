"""Centred labels: u = unit(v - mean of all references); the mean cosine to the other pictures of the person."""

from itertools import pairwise

import numpy as np
import pytest

from synfiqa.fiqa_train.labels.centred.cosines import (
    LEAST,
    STANDARD,
    centred,
    centred_cosines,
    label_of,
    mean_vector,
    reference_sums,
    relative_cosines,
)
from synfiqa.fiqa_train.labels.centred.fault_free import LARGEST, fault_free
from synfiqa.fiqa_train.labels.severities import FACTORS, severity_names
from synfiqa.schemas.factors.camera_rows import CAMERA_FACTORS


def unit(vectors):
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def squeezed():
    """Faces of 12 people as a network sees renders: much in common, little of their own; two references each."""
    rng = np.random.default_rng(0)
    people = np.repeat(np.arange(12), 6)
    common, own = rng.normal(size=64), rng.normal(size=(12, 64))
    vectors = unit(4 * common + own[people] + 0.3 * rng.normal(size=(72, 64)))
    return vectors, people, np.tile(np.arange(6) < 2, 12)


def test_the_mean_is_that_of_all_references_however_people_are_cut_into_shards(squeezed):
    vectors, people, reference = squeezed
    found = []
    for cuts in ((0, 72), (0, 6, 42, 72), tuple(range(0, 78, 6))):
        shards = (slice(*ends) for ends in pairwise(cuts))
        found.append(mean_vector(reference_sums(vectors[own], people[own], reference[own]) for own in shards))
    assert found[0] == found[1] == found[2]
    mean, count = found[0]
    assert count == 24
    np.testing.assert_allclose(mean, vectors[reference].mean(axis=0), atol=1e-6)


def test_strangers_alike_become_strangers_at_zero(squeezed):
    vectors, people, reference = squeezed
    raw = vectors @ vectors.T
    strangers = people[:, None] != people
    assert raw[strangers].mean() > 0.9
    units = centred(vectors, vectors[reference].mean(axis=0))
    after = units @ units.T
    assert abs(after[strangers].mean()) < 0.12
    assert after[~strangers].mean() > 0.8


def test_a_face_is_compared_with_the_other_targets_of_its_person():
    units = np.array([[1, 0], [0, 1], [1, 0], [-1, 0], [0, 1]], float)
    identity = np.array([7, 7, 7, 7, 9])
    target = np.array([True, True, False, False, True])
    found = centred_cosines(units, identity, target)
    # The references see each other alone, a probe both of them; a person of one picture has nothing to compare.
    np.testing.assert_allclose(found, [0, 0, 0.5, -0.5, np.nan])
    fault_free_too = centred_cosines(units, identity, np.array([True, True, True, False, True]))
    np.testing.assert_allclose(fault_free_too[:4], [0.5, 0, 0.5, -2 / 3], atol=1e-6)


def test_a_relative_cosine_is_a_share_of_the_persons_own_fault_free_ones():
    """Dark skin is recognised less well in renders: its clean pictures had labels of .73, those of light skin .84."""
    cosines = np.array([0.9, 0.7, 0.4, 0.45, 0.35, 0.2, np.nan, 0.5, 0.1], np.float32)
    identity = np.array([1, 1, 1, 2, 2, 2, 3, 3, 4])
    target = np.array([True, True, False, True, True, False, True, False, True])
    found = relative_cosines(cosines, identity, target)
    np.testing.assert_allclose(found[:3], np.array([0.9, 0.7, 0.4]) * STANDARD / 0.8, rtol=1e-6)
    np.testing.assert_allclose(found[3:6], np.array([0.45, 0.35, 0.2]) * STANDARD / 0.4, rtol=1e-6)
    assert np.isnan(found[6:8]).all(), "nobody to compare with"
    np.testing.assert_allclose(found[8], 0.1 * STANDARD / LEAST, rtol=1e-6)


def test_the_label_is_clipped_to_minus_a_tenth_and_scaled():
    np.testing.assert_allclose(label_of(np.array([-0.7, -0.1, 0.45, 1.0])), [0, 0, 0.5, 1])


def test_a_picture_is_fault_free_when_no_severity_is_above_its_limit():
    zero = {name: np.zeros(3, np.float32) for name in FACTORS}
    assert fault_free(zero).tolist() == [True] * 3
    for name in FACTORS:
        limit = np.float32(LARGEST[name])
        assert fault_free(zero | {name: np.array([0, limit, limit + 0.1], np.float32)}).tolist() == [True, True, False]
    dusty = zero | {"dust": np.array([0, 0.01, 1], np.float32)}
    assert fault_free(dusty).tolist() == [True, False, False], "factors of plug-ins count from 0"


def test_a_photograph_with_a_cameras_usual_noise_and_file_is_fault_free():
    """No sample of the profile camera was fault-free: all of them have some noise, some compression and some rest of
    rotation, and severities without a limit had to be 0, so that labels were cosines to the references alone."""
    names = severity_names(CAMERA_FACTORS)
    usual = {"camera_noise": 2.0, "camera_codec": 0.2, "crop_turn": 1.5, "small_face": 0.2}
    photograph = {name: np.array([usual.get(name, 0.0)], np.float32) for name in names}
    assert fault_free(photograph).tolist() == [True]
    for name, limit in LARGEST.items():
        if name in names:
            assert not fault_free(photograph | {name: np.array([limit + 0.1], np.float32)}).any(), name
    assert set(LARGEST) <= set(names), "no limit of a severity that is not in the table"
