"""Vectors of one set and network are computed once, and again when anything that decides them changes."""

import numpy as np
import pytest

from synfiqa.actors.model_store.catalogue import bundled
from synfiqa.actors.recognition import stored_vectors as module
from synfiqa.actors.recognition.stored_vectors import stored_vectors
from synfiqa.cluster.storage.storage import Storage
from synfiqa.schemas.model_card import BUILT_IN

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 112, 112, 3), np.uint8)
VECTORS = np.eye(3, 4, dtype=np.float32)


@pytest.fixture
def embed():
    """Count the calls."""

    def call():
        call.count += 1
        return VECTORS

    call.count = 0
    return call


@pytest.fixture
def storage(tmp_path):
    return Storage(str(tmp_path))


def test_the_same_set_is_embedded_once(storage, embed):
    model = bundled()["bundled-b"]
    for _ in range(2):
        found = stored_vectors(storage, model, model.card.sha256, IMAGES, embed)
        assert found.dtype == np.float32
        assert np.array_equal(found, VECTORS)
    assert embed.count == 1


def test_anything_that_decides_them_makes_them_again(storage, embed, monkeypatch):
    model = bundled()["bundled-b"]
    stored_vectors(storage, model, model.card.sha256, IMAGES, embed)
    stored_vectors(storage, model, model.card.sha256, IMAGES[::-1], embed)
    stored_vectors(storage, model, "1" * 64, IMAGES, embed)
    stored_vectors(storage, bundled()["bundled-a"], model.card.sha256, IMAGES, embed)
    monkeypatch.setattr(module, "libraries_digest", lambda: "other")
    stored_vectors(storage, model, model.card.sha256, IMAGES, embed)
    assert embed.count == 5
    assert len(storage.list("vectors")) == 5


def test_code_without_weights_has_no_digest_to_store_by(storage, embed):
    for _ in range(2):
        stored_vectors(storage, bundled()["bundled-b"], BUILT_IN, IMAGES, embed)
    assert embed.count == 2
    assert storage.list("vectors") == []
