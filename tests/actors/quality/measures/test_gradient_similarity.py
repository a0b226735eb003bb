"""GMSD: the published formula at two sizes, and that levels of every degradation order it."""

import cv2
import numpy as np
import pytest
from scipy.ndimage import convolve
from skimage.data import astronaut

from synfiqa.actors.degradation.operators import (
    compress,
    gaussian_blur,
    lower_resolution,
    motion_blur,
    sensor_noise,
    toned,
)
from synfiqa.actors.quality.measures.gradient_similarity import gradient_deviation, portrait_gradients
from synfiqa.actors.quality.measures.portrait_measures import DEFAULT_MEASURE, PORTRAIT_MEASURES

PHOTO = astronaut()[:160, 140:300].copy()
BOX = np.array([[40.0, 30.0], [110.0, 120.0]])


def published(clean, image):
    """Equations 2 to 6 of 1308.3052 on grey images in float64, without a border of one pixel."""
    prewitt = np.array([[1, 0, -1]] * 3) / 3
    first, second = (
        np.sqrt(sum(convolve(grey, kernel, mode="mirror") ** 2 for kernel in (prewitt, prewitt.T)))
        for grey in (clean, image)
    )
    similarity = (2 * first * second + 170) / (first**2 + second**2 + 170)
    return similarity[1:-1, 1:-1].std()


def test_it_is_the_mean_of_the_published_index_without_and_with_its_reduction():
    blurred = cv2.GaussianBlur(PHOTO, (0, 0), 1.5)
    whole = [picture.astype(float) @ (0.299, 0.587, 0.114) for picture in (PHOTO, blurred)]
    half = [grey.reshape(80, 2, 80, 2).mean(axis=(1, 3)) for grey in whole]
    expected = np.mean([published(*whole), published(*half)])
    assert gradient_deviation(PHOTO, blurred) == pytest.approx(expected, abs=1e-5)
    assert gradient_deviation(PHOTO, PHOTO) == 0


@pytest.mark.parametrize(
    ("operator", "levels"),
    [
        (gaussian_blur, (0.7, 1.5, 3)),
        (lambda image, length: motion_blur(image, length, 0.7), (4, 9, 18)),
        (lambda image, factor: lower_resolution(image, round(160 / factor)), (1.5, 3, 6)),
        (lambda image, sigma: sensor_noise(image, sigma, np.random.default_rng(1)), (5, 15, 40)),
        (lambda image, strength: compress(image, round(60 / strength)), (1, 4, 12)),
        (toned, (1.5, 2, 3)),
        (lambda image, strength: toned(image, 1 / strength), (1.5, 2, 3)),
    ],
)
@pytest.mark.parametrize("name", PORTRAIT_MEASURES)
def test_stronger_degradations_have_lower_scores(name, operator, levels):
    measure = PORTRAIT_MEASURES[name][0]
    scores = [measure(PHOTO, PHOTO, BOX), *(measure(PHOTO, operator(PHOTO, level), BOX) for level in levels)]
    assert scores[0] == 1
    assert (np.diff(scores) < 0).all()


def test_the_default_does_not_change_beside_the_face():
    beside = PHOTO.copy()
    beside[:, :20] = 0
    assert portrait_gradients(PHOTO, beside, BOX) == 1
    assert PORTRAIT_MEASURES[DEFAULT_MEASURE][0] is portrait_gradients


def test_images_of_other_sizes_are_refused():
    with pytest.raises(ValueError, match="one size"):
        gradient_deviation(PHOTO, PHOTO[:100])
    with pytest.raises(ValueError, match="6 x 6 pixels, not 5 x 160"):
        gradient_deviation(PHOTO[:, :5], PHOTO[:, :5])
