"""Random crops move their landmarks along, and mirror images are those of the mark-up."""

import numpy as np

from synfiqa.fiqa_train.training.dsl.crop_draws import MIRRORED, mirrored, random_crop
from synfiqa.fiqa_train.training.dsl.degradation_draws import KINDS, degraded_by, random_degradation
from synfiqa.schemas.seeds import generator
from tests.fiqa_train.training.dsl.portraits import clean


def marked(landmarks, size=80):
    """An image with one bright pixel at each landmark."""
    image = np.zeros((size, size, 3), np.uint8)
    x, y = landmarks.round().astype(int).T
    image[y, x] = 255
    return image


def test_landmarks_stay_on_their_pixels():
    points = np.random.default_rng(0).integers(0, 80, (68, 2)).astype(np.float32)
    for seed in range(8):
        crop, moved = random_crop(marked(points), points, 64, 0.5, generator(seed))
        there = moved[((moved >= 0) & (moved < 64)).all(axis=1)].round().astype(int)
        assert len(there)
        assert (crop[there[:, 1], there[:, 0]] == 255).all()


def test_every_place_is_drawn_and_an_image_of_the_crops_size_has_one():
    rng, points = generator(0), np.zeros((68, 2), np.float32)
    corners = {tuple(random_crop(np.zeros((66, 66, 3), np.uint8), points, 64, 0, rng)[1][0]) for _ in range(200)}
    assert corners == {(-x, -y) for x in (0, 1, 2) for y in (0, 1, 2)}
    assert random_crop(np.zeros((64, 64, 3), np.uint8), points, 64, 0, rng)[1].max() == 0


def test_the_mirrored_order_is_its_own_inverse_and_keeps_a_frontal_face_in_shape():
    assert sorted(MIRRORED) == list(range(68))
    assert (MIRRORED[MIRRORED] == np.arange(68)).all()
    points = clean().landmarks
    assert np.abs(mirrored(mirrored(points, 80), 80) - points).max() < 1e-4
    # Image-left parts stay image-left: the first points of jaw, brows and eyes.
    turned = mirrored(points, 80)
    assert (turned[[0, 17, 36, 48], 0] < turned[[16, 26, 45, 54], 0]).all()


def test_each_kind_changes_a_face_and_equal_draws_are_equal():
    image = clean().image
    for kind in KINDS:
        found = degraded_by(kind, image, generator(1))
        assert found.shape == image.shape
        assert found.dtype == np.uint8
        assert np.abs(found.astype(int) - image).mean() > 0.3, kind
        assert np.array_equal(found, degraded_by(kind, image, generator(1)))
    assert not np.array_equal(random_degradation(image, generator(1)), random_degradation(image, generator(2)))
