"""f_r: cosine to the mean of the identity's reference embeddings."""

import numpy as np
import pytest

from actors.annotator import AnnotatorStage, recognition_similarity
from actors.captions import REFERENCE_CAPTION
from schemas.config import RunConfig
from tests.actors.diffusion_chain_config import DIFFUSION, config


def unit_vectors(*vectors):
    array = np.array(vectors, np.float32)
    return array / np.linalg.norm(array, axis=1, keepdims=True)


def test_degraded_samples_meet_the_mean_of_all_references():
    embeddings = unit_vectors([1, 0], [0, 1], [1, 1])
    result = recognition_similarity(embeddings, np.zeros(3), np.array([True, True, False]))
    assert result[2] == pytest.approx(1.0)


def test_a_reference_never_meets_itself():
    embeddings = unit_vectors([1, 0], [0, 1], [1, 1])
    result = recognition_similarity(embeddings, np.zeros(3), np.array([True, True, False]))
    assert result[:2] == pytest.approx([0.0, 0.0])


def test_identities_do_not_mix():
    embeddings = unit_vectors([1, 0], [1, 0], [1, 0], [0, 1], [0, 1], [1, 0])
    identity = np.array([0, 0, 0, 1, 1, 1])
    reference = np.array([True, True, False] * 2)
    assert recognition_similarity(embeddings, identity, reference) == pytest.approx([1, 1, 1, 1, 1, 0])


def test_the_mean_is_not_renormalised_before_the_cosine_so_only_direction_counts():
    embeddings = unit_vectors([1, 0], [-0.9, 0.1], [1, 0.2])
    result = recognition_similarity(embeddings, np.zeros(3), np.array([True, True, False]))
    mean = embeddings[:2].mean(axis=0)
    assert result[2] == pytest.approx(float(embeddings[2] @ mean / np.linalg.norm(mean)), abs=1e-6)


def test_the_text_that_references_were_asked_for_is_the_one_they_are_compared_with(tmp_path):
    """Another reference prompt on the card used to leave v_l at the built-in text."""
    own = DIFFUSION | {"arguments": DIFFUSION["arguments"] | {"prompts": {"reference": "a passport photograph"}}}
    asked = config(tmp_path, entries={"own": own}, conditional_diffusion="own")
    assert AnnotatorStage(asked).text == "a passport photograph"
    assert AnnotatorStage(config(tmp_path)).text == AnnotatorStage(RunConfig()).text == REFERENCE_CAPTION
