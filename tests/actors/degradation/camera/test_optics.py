import numpy as np
import pytest

from synfiqa.actors.degradation.camera.linear_light import developed, to_light
from synfiqa.actors.degradation.camera.optics import (
    VEIL,
    defocused,
    disc_kernel,
    exposed,
    gaussian_blurred,
    line_kernel,
    shaken,
    veiled,
)

SIDE = 81
RNG = np.random.default_rng(0)
TEXTURE = RNG.random((SIDE, SIDE, 3)).astype(np.float32)


def point(side: int = SIDE) -> np.ndarray:
    light = np.zeros((side, side, 3), np.float32)
    light[side // 2, side // 2] = 1
    return light


def variances(spread: np.ndarray) -> tuple[float, float]:
    """Return the variances along x and y of a spread point."""
    plane = spread[..., 0].astype(float)
    y, x = np.mgrid[: plane.shape[0], : plane.shape[1]] - plane.shape[0] // 2
    return float((plane * x**2).sum() / plane.sum()), float((plane * y**2).sum() / plane.sum())


def test_strength_zero_changes_nothing():
    for same in (exposed(TEXTURE, 1), veiled(TEXTURE, 0), gaussian_blurred(TEXTURE, 0), defocused(TEXTURE, 0)):
        assert same is TEXTURE
    assert shaken(TEXTURE, 0, 1.0) is TEXTURE


@pytest.mark.parametrize("sigma", [0.3, 0.5, 2, 6])
def test_the_variance_of_a_blur_is_the_square_of_its_sigma(sigma):
    along, across = variances(gaussian_blurred(point(), sigma))
    assert along == pytest.approx(sigma**2, rel=0.02)
    assert across == pytest.approx(sigma**2, rel=0.02)


@pytest.mark.parametrize("radius", [1.5, 4, 11])
def test_defocus_is_a_uniform_disc_of_its_radius(radius):
    spread = defocused(point(), radius)
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE // 2
    distance = np.hypot(x, y)
    assert np.all(spread[distance > radius + 1] < 1e-9)
    inside = spread[distance < radius - 1]
    assert inside.min() == pytest.approx(inside.max(), rel=1e-4)
    assert inside.max() == pytest.approx(1 / (np.pi * radius**2), rel=0.03)
    # Second moment of a disc: r^2 / 4 along each axis, and 1 / 12 of a pixel for its area.
    assert variances(spread)[0] == pytest.approx(radius**2 / 4, rel=0.05, abs=0.1)


def test_a_disc_smaller_than_a_pixel_leaves_the_picture():
    assert disc_kernel(0.05).max() == pytest.approx(1)


@pytest.mark.parametrize(
    "blur", [lambda v: gaussian_blurred(v, 3), lambda v: defocused(v, 5), lambda v: shaken(v, 12, 1)]
)
def test_no_blur_changes_the_mean_level(blur):
    light = np.pad(TEXTURE, ((40, 40), (40, 40), (0, 0)))
    assert blur(light).sum() == pytest.approx(light.sum(), rel=1e-4)
    # Of grey levels it would: a blurred edge is brighter in display values than the mean of both sides.
    even = np.full((SIDE, SIDE, 3), 0.3, np.float32)
    assert blur(even) == pytest.approx(even, abs=1e-5)


@pytest.mark.parametrize("angle", [0.0, 0.9, np.pi / 2])
def test_shake_has_the_variance_of_a_straight_line(angle):
    length = 18.0
    along, across = variances(shaken(point(), length, angle))
    # length^2 / 12 along the line; the bilinear samples add up to a quarter.
    assert along == pytest.approx(length**2 / 12 * np.cos(angle) ** 2, abs=0.3)
    assert across == pytest.approx(length**2 / 12 * np.sin(angle) ** 2, abs=0.3)
    assert line_kernel(length, angle).sum() == pytest.approx(1)


def test_a_shaken_highlight_has_the_height_that_its_light_gives():
    # A line of 9 pixels spreads a white point on black to a ninth of its light: display value 94; filtered as display
    # values it would be 28.
    levels = np.zeros((21, 21, 3), np.uint8)
    levels[10, 10] = 250
    light = to_light(levels)
    peak = developed(shaken(light, 9, 0.0))[10, 10]
    assert peak == pytest.approx(255 * (light[10, 10, 0] / 9) ** (1 / 2.2), abs=1.5)
    assert peak.min() > 3 * 250 / 9


def test_haze_replaces_light_by_even_light_so_that_contrast_falls_by_its_share():
    hazy = veiled(TEXTURE, 0.7)
    assert np.ptp(hazy) == pytest.approx(0.3 * np.ptp(TEXTURE), rel=1e-4)
    assert veiled(np.full((2, 2, 3), VEIL, np.float32), 0.7) == pytest.approx(VEIL)


def test_exposure_multiplies_light():
    assert exposed(TEXTURE, 0.25) == pytest.approx(0.25 * TEXTURE)
