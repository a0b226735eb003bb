import cv2
import numpy as np
import pytest

from synfiqa.actors.degradation.camera.image_processor import rounded
from synfiqa.actors.degradation.camera.linear_light import developed
from synfiqa.actors.degradation.camera.sensor import (
    MID_GREY,
    dark_read,
    resampled,
    sampled,
    sensor_noised,
    white_noised,
)

RNG = np.random.default_rng(1)


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def lag_one(noise: np.ndarray) -> float:
    plane = noise[..., 0] - noise[..., 0].mean()
    return float((plane[:, 1:] * plane[:, :-1]).mean() / plane.var())


@pytest.mark.parametrize("factor", [0.5, 0.25])
def test_a_coarse_pixel_is_the_mean_of_its_area(factor):
    light = RNG.random((48, 64, 3)).astype(np.float32)
    small, scales = sampled(light, factor)
    block = round(1 / factor)
    means = light.reshape(48 // block, block, 64 // block, block, 3).mean(axis=(1, 3))
    assert small == pytest.approx(means, abs=1e-5)
    assert scales.tolist() == [factor, factor]


def test_sampling_at_a_fraction_of_a_pixel_keeps_the_mean_and_says_the_scale_as_made():
    light = RNG.random((50, 70, 3)).astype(np.float32)
    small, scales = sampled(light, 0.37)
    assert small.mean() == pytest.approx(light.mean(), rel=5e-3)
    assert scales == pytest.approx(np.array(small.shape[1::-1]) / (70, 50))


@pytest.mark.parametrize("factor", [0.41, 2.7])
def test_a_place_is_found_again_on_the_sensor(factor):
    light = np.zeros((60, 60, 3), np.float32)
    light[30, 20] = 1
    light = cv2.GaussianBlur(light, (0, 0), 3)
    seen, scales = sampled(light, factor)
    weight = seen[..., 0] / seen[..., 0].sum()
    y, x = np.mgrid[: seen.shape[0], : seen.shape[1]]
    place = np.array([(weight * x).sum(), (weight * y).sum()])
    assert place == pytest.approx((np.array([20, 30]) + 0.5) * scales - 0.5, abs=0.05)


@pytest.mark.parametrize("sigma", [4, 12])
def test_sensor_noise_has_its_sigma_at_mid_grey(sigma):
    light = np.full((200, 200, 3), MID_GREY, np.float32)
    levels = developed(sensor_noised(light, sigma, rng()))
    assert levels.std() == pytest.approx(sigma, rel=0.04)
    # The curve is concave, so that noise in linear light darkens grey levels a little.
    assert levels.mean() == pytest.approx(128 - 0.6 * sigma**2 / 128, abs=0.3)


def test_the_variance_of_sensor_noise_grows_in_proportion_to_the_signal():
    variance = {}
    for level in (0.1, 0.2, 0.4, 0.6):
        light = np.full((300, 300, 3), level, np.float32)
        variance[level] = sensor_noised(light, 10, rng()).var()
    slopes = [(variance[high] - variance[low]) / (high - low) for low, high in ((0.1, 0.2), (0.2, 0.4), (0.4, 0.6))]
    assert slopes == pytest.approx([slopes[0]] * 3, rel=0.06)
    # What remains without light is read noise: a fiftieth of the variance at mid-grey.
    assert variance[0.1] - 0.1 * slopes[0] == pytest.approx(0.02 * variance[0.2] * MID_GREY / 0.2, rel=0.5)


def test_noise_is_white_at_the_sensor_and_coarse_when_it_was_enlarged():
    grey = np.full((40, 40, 3), 128, np.float32)
    for noise in (white_noised(grey, 12, rng()), developed(sensor_noised(grey / 128 * MID_GREY, 12, rng()))):
        assert abs(lag_one(noise)) < 0.06
        large, _ = resampled(rounded(noise), 8)
        assert lag_one(large.astype(float)) == pytest.approx(0.98, abs=0.01)


def test_noise_of_a_photograph_with_finer_pixels_arrives_weaker():
    light = np.full((256, 256, 3), MID_GREY, np.float32)
    fine = sensor_noised(light, 20, rng())
    assert sampled(fine, 0.25)[0].std() == pytest.approx(fine.std() / 4, rel=0.1)


def test_a_dark_picture_that_is_lifted_shows_the_steps_of_its_reading():
    levels = np.linspace(0, 12, 64, dtype=np.float32)[None, :, None].repeat(64, 0).repeat(3, 2)
    read = dark_read(levels, 0.4, 8.0, rng())
    assert set(np.unique(read)) <= {8.0 * step for step in range(32)}
    assert read.mean() == pytest.approx(8 * levels.mean(), rel=0.03)
    assert dark_read(levels, 0, 8.0, rng()) is levels
