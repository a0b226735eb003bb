"""Portraits are degraded as their crops are, with lengths sized to the face."""

import cv2
import numpy as np
import pytest
from skimage.data import astronaut

from synfiqa.actors.degradation.degrade import degrade, draw_kernel
from synfiqa.actors.degradation.operators import compress, sensor_noise
from synfiqa.actors.degradation.portrait import RECORDED, crop_pixel, degraded_portrait
from synfiqa.actors.imaging.alignment import ARCFACE_TEMPLATE
from synfiqa.schemas.recipe import Recipe
from synfiqa.schemas.seeds import generator

FACE = cv2.resize(astronaut()[45:195, 150:300], (112, 112), interpolation=cv2.INTER_AREA)
LARGE = cv2.resize(astronaut()[45:195, 150:300], (336, 336), interpolation=cv2.INTER_CUBIC)
LARGE_LANDMARKS = (ARCFACE_TEMPLATE + 0.5) * 3 - 0.5
FAULTS = {"blur": 3.0, "downsample": 1.7, "motion": 4.0, "noise": 12.0, "jpeg_quality": 40}


def recipe(**values):
    return Recipe(kind="degraded", seed=9, **{"jpeg_quality": 95, **values})


@pytest.mark.parametrize("profile", ["corrected", "faithful"])
def test_a_portrait_that_is_the_crop_becomes_the_degraded_crop(profile):
    faulty = recipe(**FAULTS, profile=profile)
    made = degraded_portrait(FACE, ARCFACE_TEMPLATE, faulty)
    assert crop_pixel(ARCFACE_TEMPLATE) == pytest.approx(1)
    crop = degrade(FACE, faulty)
    assert (made.image == compress(crop.image, 40)).mean() > 0.999
    assert made.values["kernel_lambda1"] == crop.lambda1


@pytest.mark.parametrize("fault", [{"blur": 4.0}, {"motion": 8.0}, {"downsample": 4.0}])
def test_a_larger_face_looks_the_same_at_the_size_of_the_crop(fault):
    large = degraded_portrait(LARGE, LARGE_LANDMARKS, recipe(**fault)).image
    crop = degrade(FACE, recipe(**fault)).image
    small = cv2.resize(large, (112, 112), interpolation=cv2.INTER_AREA)
    away = np.abs(small.astype(float) - crop).mean()
    assert away < 0.45 * np.abs(FACE.astype(float) - crop).mean()


def test_the_kernel_grows_with_the_face_and_keeps_its_centre():
    own, wide = (draw_kernel(generator(4), 2.0, 3.0, "corrected", pixel) for pixel in (1.0, 3.0))
    assert (own.lambda1, own.lambda2, own.theta) == (wide.lambda1, wide.lambda2, wide.theta)
    assert (own.taps.shape, wide.taps.shape) == ((21, 21), (61, 61))

    def spread(taps):
        offset = np.arange(len(taps)) - len(taps) // 2
        weights = taps.sum(0)
        return (weights * offset**2).sum() - ((weights * offset).sum()) ** 2, (weights * offset).sum()

    assert spread(wide.taps)[0] == pytest.approx(9 * spread(own.taps)[0], rel=0.1)
    assert spread(wide.taps)[1] == pytest.approx(0, abs=1e-9)


def test_the_grain_of_the_noise_grows_with_the_face():
    flat = np.full((120, 120, 3), 128, np.uint8)
    fine, coarse = (sensor_noise(flat, 10.0, generator(1), grain).astype(float) - 128 for grain in (1.0, 3.0))
    assert coarse.std() == pytest.approx(fine.std(), rel=0.05)

    def likeness(noise):
        return np.corrcoef(noise[:, 1:].ravel(), noise[:, :-1].ravel())[0, 1]

    assert likeness(coarse) > 0.7 > 0.4 > likeness(fine)


def test_every_value_is_recorded_and_the_seed_fixes_the_picture():
    faulty = recipe(**FAULTS)
    first, again = (degraded_portrait(LARGE, LARGE_LANDMARKS, faulty) for _ in range(2))
    assert set(first.values) == {*RECORDED, "kernel_lambda1", "kernel_lambda2", "kernel_theta"}
    assert {name: first.values[name] for name in FAULTS} == FAULTS
    assert first.values["pixel"] == pytest.approx(3)
    assert first.values == again.values
    assert (first.image == again.image).all()
    other = degraded_portrait(LARGE, LARGE_LANDMARKS, faulty.model_copy(update={"seed": 10}))
    assert (other.image != first.image).any()
    assert set(degraded_portrait(LARGE, LARGE_LANDMARKS, recipe()).values) == set(RECORDED)


def test_references_stay_clean():
    made = degraded_portrait(LARGE, LARGE_LANDMARKS, Recipe(kind="reference", seed=1, blur=3, noise=20))
    assert made.image is LARGE
    assert made.values == {}


def test_other_images_and_points_are_refused():
    with pytest.raises(ValueError, match="uint8 RGB"):
        degraded_portrait(LARGE.astype(float), LARGE_LANDMARKS, recipe())
    with pytest.raises(ValueError, match="coincide"):
        degraded_portrait(LARGE, np.zeros((68, 2)), recipe())
