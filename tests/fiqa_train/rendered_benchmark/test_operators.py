"""Exact degradations of a crop."""

import numpy as np
import pytest
from skimage import data
from skimage.transform import resize

from synfiqa.fiqa_train.rendered_benchmark.operators import Operator, apply


@pytest.fixture(scope="module")
def crop():
    return (resize(data.astronaut()[0:200, 120:320], (112, 112)) * 255).astype(np.uint8)


def test_the_default_leaves_the_image_alone(crop):
    assert apply(Operator(), crop, 1) is crop


@pytest.mark.parametrize(
    ("mild", "severe"),
    [
        (Operator(blur_sigma=1), Operator(blur_sigma=4)),
        (Operator(resolution=56), Operator(resolution=14)),
        (Operator(noise_sigma=5), Operator(noise_sigma=40)),
    ],
)
def test_a_higher_strength_changes_more(crop, mild, severe):
    near, far = (np.abs(apply(operator, crop, 1).astype(int) - crop).mean() for operator in (mild, severe))
    assert 0 < near < far


def test_noise_has_the_strength_asked_for_and_one_pattern_a_seed():
    grey = np.full((112, 112, 3), 128, np.uint8)
    weak, strong = (apply(Operator(noise_sigma=sigma), grey, 7).astype(float) - 128 for sigma in (10, 20))
    assert weak.std() == pytest.approx(10, rel=0.02)
    assert np.abs(strong - 2 * weak).max() <= 1.5, "rounding only"
    assert (apply(Operator(noise_sigma=10), grey, 8) != weak + 128).mean() > 0.9
