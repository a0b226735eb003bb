import numpy as np
import pytest

from synfiqa.actors.degradation.degrade import clean_crop_and_degrade
from synfiqa.actors.degradation.misalignment import misaligned_landmarks
from synfiqa.actors.imaging.alignment import ARCFACE_TEMPLATE, similarity_transform, transform_points
from synfiqa.schemas.recipe import Recipe

TRUE = np.array([[45.0, 60.0], [82.0, 58.5], [65.0, 80.0], [50.0, 101.0], [79.0, 100.0]])


def recipe(turn: float, seed: int = 4, **changes) -> Recipe:
    return Recipe(kind="degraded", seed=seed, misalignment=turn, **changes)


def shown(turn: float, seed: int = 4) -> np.ndarray:
    """Return the true landmarks in a crop that is aligned by the recipe."""
    return transform_points(TRUE[None], similarity_transform(misaligned_landmarks(TRUE, recipe(turn, seed))[None]))[0]


def test_without_misalignment_the_landmarks_are_unchanged():
    assert misaligned_landmarks(TRUE, recipe(0.0)) is TRUE


@pytest.mark.parametrize("turn", [-90.0, -20.0, 5.0, 45.0, 90.0])
@pytest.mark.parametrize("seed", range(4))
def test_the_crop_has_the_commanded_angle_and_a_small_shift_and_scale(turn, seed):
    right, wrong = shown(0.0), shown(turn, seed)
    before, after = (points[1] - points[0] for points in (right, wrong))
    angle = np.degrees(np.arctan2(after[1], after[0]) - np.arctan2(before[1], before[0]))
    # y runs down, so that a clockwise turn lowers the eye at image-right.
    assert (angle - turn + 180) % 360 - 180 == pytest.approx(0, abs=1e-6)
    share = abs(turn) / 90
    assert abs(np.log(np.hypot(*after) / np.hypot(*before))) <= 0.3 * share + 1e-9
    assert np.hypot(*(wrong.mean(0) - right.mean(0))) < 20 * share + 30 * np.sin(np.radians(abs(turn)) / 2)


def test_landmarks_of_a_badly_aligned_sample_are_the_true_ones_in_the_crop():
    portrait = np.zeros((128, 128, 3), np.uint8)
    for x, y in TRUE:
        portrait[round(y) - 1 : round(y) + 2, round(x) - 1 : round(x) + 2] = 255
    face = clean_crop_and_degrade(portrait, TRUE, recipe(35.0))
    for x, y in face.landmarks:
        assert face.clean[round(y), round(x)].min() > 150
    assert np.abs(face.landmarks - ARCFACE_TEMPLATE).max() > 10


def test_the_faithful_profile_aligns_by_the_true_landmarks():
    portrait = np.random.default_rng(0).integers(0, 256, (128, 128, 3)).astype(np.uint8)
    plain, commanded = (clean_crop_and_degrade(portrait, TRUE, recipe(t, profile="faithful")) for t in (0.0, 40.0))
    np.testing.assert_array_equal(plain.image, commanded.image)
