"""dlib's network as an embedder: its chip of an aligned face, unit vectors, and who is who on renders."""

from importlib.util import find_spec

import numpy as np
import pytest

from synfiqa.actors.degradation.recipe_sampler import reference_recipes
from synfiqa.actors.face3d import HeadRenderer, sample_identity
from synfiqa.actors.imaging.alignment import ARCFACE_TEMPLATE, align
from synfiqa.actors.model_store.catalogue import bundled
from synfiqa.actors.players import player
from synfiqa.actors.recognition.dlib_embedder import CHIP, CROP_TO_CHIP, chip_of

INSTALLED = all(find_spec(name) for name in ("dlib", "face_recognition_models"))
needs_dlib = pytest.mark.skipif(not INSTALLED, reason="the extra dlib is not installed")
PEOPLE = range(900_000, 900_004)


def faces(identity):
    shown = HeadRenderer().render(
        sample_identity(identity).without_glasses(), reference_recipes(1, identity, 2, "corrected"), 128
    )
    return align(shown.images, shown.landmarks)


@pytest.fixture(scope="module")
def embedder():
    return player(bundled()["dlib"])


@pytest.fixture(scope="module")
def images():
    """Two references of each of four people, (8, 112, 112, 3)."""
    return np.concatenate([faces(person) for person in PEOPLE])


def test_a_chip_shows_the_face_where_the_library_puts_it():
    """Eyes on one line, the middle between them in the middle of the chip, at the library's scale."""
    points = ARCFACE_TEMPLATE @ CROP_TO_CHIP[:, :2].T + CROP_TO_CHIP[:, 2]
    left, right = points[:2]
    assert abs(left[1] - right[1]) < 1.5
    assert abs((left[0] + right[0]) / 2 - CHIP / 2) < 2
    assert 50 < right[0] - left[0] < 58
    dot = np.zeros((112, 112, 3), np.uint8)
    x, y = ARCFACE_TEMPLATE[2].round().astype(int)
    dot[y - 1 : y + 2, x - 1 : x + 2] = 255
    rows, columns = np.nonzero(chip_of(dot)[..., 0])
    assert (columns.mean(), rows.mean()) == pytest.approx(points[2], abs=1)


def test_what_lies_below_the_crop_repeats_its_last_row():
    crop = np.zeros((112, 112, 3), np.uint8)
    crop[-2:] = 200
    assert (chip_of(crop)[-1] == 200).all()


@needs_dlib
def test_vectors_are_unit_and_do_not_depend_on_the_batch(embedder, images):
    vectors = embedder.embed(images)
    assert (vectors.dtype, vectors.shape) == (np.float32, (8, 128))
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(8), abs=1e-6)
    assert np.array_equal(embedder.embed(images[3:5]), vectors[3:5])
    assert embedder.embed(images[:0]).shape == (0, 128)
    with pytest.raises(ValueError, match="aligned faces"):
        embedder.embed(images[:, :96])


@needs_dlib
def test_one_person_is_closer_than_another(embedder, images):
    vectors = embedder.embed(images).reshape(4, 2, 128)
    same = np.sum(vectors[:, 0] * vectors[:, 1], axis=1)
    other = vectors[:, 0] @ vectors[:, 1].T
    assert same.mean() > other[~np.eye(4, dtype=bool)].mean() + 0.02
