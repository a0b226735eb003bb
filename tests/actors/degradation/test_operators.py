import numpy as np
import pytest
from skimage import data
from skimage.transform import resize

from synfiqa.actors.degradation.operators import (
    compress,
    gaussian_blur,
    lower_resolution,
    motion_blur,
    motion_kernel,
    sensor_noise,
)
from synfiqa.actors.quality.measures.sharpness import laplacian_variance

FACE = (resize(data.astronaut()[0:200, 120:320], (112, 112)) * 255).astype(np.uint8)


def noisy(level: int, sigma: float, seed: int = 0) -> np.ndarray:
    grey = np.full((112, 112, 3), level, np.uint8)
    return sensor_noise(grey, sigma, np.random.default_rng(seed)).astype(float) - level


def test_strength_zero_changes_nothing():
    for same in (
        gaussian_blur(FACE, 0),
        lower_resolution(FACE, 112),
        motion_blur(FACE, 0, 1.0),
        sensor_noise(FACE, 0, np.random.default_rng(0)),
    ):
        assert same is FACE


@pytest.mark.parametrize("length", [0.3, 2, 7.5, 30])
@pytest.mark.parametrize("angle", [0.0, 0.7, np.pi / 2, 3.0])
def test_motion_blur_has_its_length_and_direction_and_no_shift(length, angle):
    kernel = motion_kernel(length, angle)
    reach = len(kernel) // 2
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    assert kernel.sum() == pytest.approx(1)
    assert [(kernel * x).sum(), (kernel * y).sum()] == pytest.approx([0, 0], abs=1e-9)
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    assert (kernel * along**2).sum() == pytest.approx(length**2 / 12, abs=0.3 + 0.1 * length)
    assert (kernel * across**2).sum() < 0.3


def test_detail_falls_with_length_and_motion_depends_on_direction():
    detail = [laplacian_variance(motion_blur(FACE, length, 0.4)) for length in (0, 2, 5, 10, 20, 30)]
    assert detail == sorted(detail, reverse=True)
    level, upright = (np.diff(motion_blur(FACE, 15, angle).astype(float), axis=1).std() for angle in (0, np.pi / 2))
    assert level < 0.6 * upright


def test_noise_has_its_strength_at_mid_grey_and_one_pattern_at_all_strengths():
    weak, strong = noisy(128, 10), noisy(128, 20)
    assert weak.std() == pytest.approx(10, rel=0.02)
    assert np.abs(strong - 2 * weak).max() <= 1.5, "rounding only"
    assert (noisy(128, 10, 1) != weak).mean() > 0.9


def test_noise_grows_in_the_shadows_and_is_mostly_luma():
    spread = [noisy(level, 6).std() for level in (40, 128, 220)]
    assert spread == sorted(spread, reverse=True)
    assert spread[0] > 1.15 * spread[1]
    pattern = noisy(128, 20)
    assert 1.5 < pattern.mean(axis=2).std() / (pattern - pattern.mean(axis=2, keepdims=True)).std() < 3


def test_lower_jpeg_quality_has_a_larger_error():
    error = [np.abs(compress(FACE, quality).astype(float) - FACE).mean() for quality in (90, 50, 20, 5)]
    assert error == sorted(error)
