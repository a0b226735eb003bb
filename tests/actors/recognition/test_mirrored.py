"""f_r of a face and of its mirror image: one direction, the same for both."""

import numpy as np
import pytest

from synfiqa.actors.recognition.mirrored import both_sides, recognition_vectors


class Halves:
    """An embedder that returns the means of the left and of the right half, at any scale."""

    name = "halves"

    def embed(self, images):
        halves = np.stack([images[:, :, :56].mean(axis=(1, 2, 3)), images[:, :, 56:].mean(axis=(1, 2, 3))], 1)
        return (halves * 3).astype(np.float32)


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (5, 112, 112, 3), np.uint8)


def test_both_sides_are_unit_vectors_of_face_and_mirror_image(images):
    plain, mirrored = both_sides(Halves(), images)
    np.testing.assert_allclose(np.linalg.norm(plain, axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(mirrored, plain[:, ::-1], rtol=1e-6)


def test_the_vector_of_a_face_is_that_of_its_mirror_image(images):
    vectors = recognition_vectors(Halves(), images, mirrored=True)
    flipped = recognition_vectors(Halves(), images[:, :, ::-1], mirrored=True)
    np.testing.assert_allclose(vectors, flipped, rtol=1e-6)
    np.testing.assert_allclose(vectors, np.sqrt(0.5), rtol=1e-6)


def test_without_mirror_images_the_vector_is_the_embedders_own(images):
    np.testing.assert_array_equal(recognition_vectors(Halves(), images, mirrored=False), Halves().embed(images))


def test_sides_that_cancel_leave_no_direction_and_no_nan():
    class Opposite:
        name = "opposite"

        def embed(self, images):
            return np.sign(images[:, :1, 0, 0].astype(np.float32) - 100)

    image = np.zeros((1, 112, 112, 3), np.uint8)
    image[:, :, 56:] = 200
    assert recognition_vectors(Opposite(), image, mirrored=True).tolist() == [[0.0]]
