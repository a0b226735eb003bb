"""What the bundled networks promise about faces that no training saw."""

import cv2
import numpy as np
import pytest

from synfiqa.actors.degradation.degrade import degrade
from synfiqa.actors.degradation.recipe_sampler import reference_recipes
from synfiqa.actors.face3d import HeadRenderer, sample_identity
from synfiqa.actors.image_text.captions import REFERENCE_CAPTION
from synfiqa.actors.imaging.alignment import align
from synfiqa.actors.model_store.catalogue import bundled
from synfiqa.actors.model_store.execution import Execution
from synfiqa.actors.players import player
from synfiqa.schemas.recipe import Pose, Recipe

PEOPLE = range(900_000, 900_006)


def faces(identity, recipes):
    shown = HeadRenderer().render(sample_identity(identity).without_glasses(), recipes, 128)
    return align(shown.images, shown.landmarks)


@pytest.fixture(scope="module")
def references():
    """(6 people, 3 references, 112, 112, 3)."""
    return np.stack([faces(person, reference_recipes(1, person, 3, "corrected")) for person in PEOPLE])


@pytest.fixture(scope="module", params=["bundled-a", "bundled-b"])
def embedder(request):
    return player(bundled()[request.param])


@pytest.fixture(scope="module")
def image_text():
    return player(bundled()["bundled-clip"])


def test_embeddings_are_unit_vectors(embedder, references):
    vectors = embedder.embed(references[:, 0])
    assert vectors.dtype == np.float32
    assert vectors.shape == (6, 128)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(6), abs=1e-5)
    assert embedder.embed(references[:0, 0]).shape == (0, 128)


def test_result_does_not_depend_on_the_callers_batches(embedder, image_text, references):
    images = references.reshape(-1, 112, 112, 3)
    assert len(images) % Execution().micro_batch
    for function in (embedder.embed, lambda some: image_text.similarity(some, REFERENCE_CAPTION)):
        together = function(images)
        for row in (0, 7, len(images) - 1):
            assert np.array_equal(together[row], function(images[row : row + 1])[0])
        assert np.array_equal(together[::-1], function(images[::-1]))


def test_wrong_size_is_refused(embedder, image_text):
    with pytest.raises(ValueError, match="aligned faces"):
        embedder.embed(np.zeros((1, 96, 96, 3), np.uint8))
    with pytest.raises(ValueError, match="uint8 RGB"):
        image_text.similarity(np.zeros((1, 112, 112, 3), np.float32), REFERENCE_CAPTION)


def test_same_person_is_closer_than_any_other(embedder, references):
    vectors = embedder.embed(references.reshape(-1, 112, 112, 3)).reshape(6, 3, -1)
    cosines = np.einsum("ird,jsd->ijrs", vectors, vectors)
    same = np.array([cosines[i, i][np.triu_indices(3, 1)] for i in range(6)])
    other = np.array([cosines[i, j] for i in range(6) for j in range(6) if i != j])
    assert same.min() > other.max()
    assert other.mean() < 0.25


def cosine_to_references(embedder, references, images):
    centre = embedder.embed(references.reshape(-1, 112, 112, 3)).reshape(len(references), -1, 128).mean(axis=1)
    centre /= np.linalg.norm(centre, axis=1, keepdims=True)
    return float((embedder.embed(images) * centre).sum(axis=1).mean())


def test_blur_costs_similarity_the_more_the_stronger(embedder, references):
    sharp = references[:, 0]
    ladder = [sharp, *(np.stack([cv2.GaussianBlur(face, (0, 0), sigma) for face in sharp]) for sigma in (2, 4, 6))]
    cosines = [cosine_to_references(embedder, references[:, 1:], images) for images in ladder]
    assert all(np.diff(cosines) < 0), cosines
    assert cosines[0] > 0.8
    assert cosines[-1] < 0.75


def test_turning_away_costs_similarity_the_more_the_further(embedder, references):
    turned = [Recipe(kind="degraded", seed=3, pose=Pose(yaw=yaw)) for yaw in (0, 30, 60, 90)]
    views = np.stack([faces(person, turned) for person in PEOPLE])
    cosines = [cosine_to_references(embedder, references, views[:, step]) for step in range(len(turned))]
    assert all(np.diff(cosines) < 0), cosines
    assert cosines[-1] < 0.5


def test_brightness_alone_costs_nothing(embedder, references):
    dark = (references[:, 0] // 2).astype(np.uint8)
    assert cosine_to_references(embedder, references[:, :1], dark) > 0.97


def test_v_l_falls_with_degradation_and_stays_below_one(image_text, references):
    sharp = references[:, 0]
    recipes = [Recipe(kind="degraded", seed=5, blur=level, downsample=level) for level in (1.0, 2.5, 6.0)]
    means = [
        float(
            image_text.similarity(np.stack([degrade(face, recipe).image for face in sharp]), REFERENCE_CAPTION).mean()
        )
        for recipe in recipes
    ]
    assert all(np.diff(means) < 0), means
    assert image_text.similarity(sharp, REFERENCE_CAPTION).max() < 0.97
    side = np.concatenate([faces(person, [Recipe(kind="degraded", seed=3, pose=Pose(yaw=80))]) for person in PEOPLE])
    assert image_text.similarity(side, REFERENCE_CAPTION).mean() < means[0]


def test_captions_are_told_apart(image_text, references):
    covered = np.concatenate(
        [faces(person, [Recipe(kind="degraded", seed=9, occluder="mask", occluder_coverage=0.8)]) for person in PEOPLE]
    )
    free, masked = (
        "a portrait photo of a person with nothing covering the face",
        "a portrait photo of a person wearing a mask",
    )
    for images, right, wrong in ((references[:, 0], free, masked), (covered, masked, free)):
        assert image_text.similarity(images, right).mean() > image_text.similarity(images, wrong).mean()
