import numpy as np
import pytest
from scipy.stats import spearmanr

from synfiqa.actors.degradation.applied_blur import applied_sigma
from synfiqa.actors.degradation.degrade import draw_kernel
from synfiqa.actors.degradation.recipe_sampler import identity_recipes
from synfiqa.schemas.config.generate import GenerateSection
from synfiqa.schemas.seeds import derive_seed, generator


@pytest.fixture(scope="module")
def blurs():
    """Level b, recorded variances and the variance of the applied kernel, of the blurred samples of 60 people."""
    settings = GenerateSection(degraded=20)
    recipes = [recipe for person in range(60) for recipe in identity_recipes(1, person, settings) if recipe.blur > 1]
    places = np.arange(21) - 10.0
    rows = []
    for recipe in recipes:
        kernel = draw_kernel(
            generator(derive_seed(recipe.seed, "degrade")), recipe.downsample, recipe.blur, recipe.profile
        )
        variance = float((kernel.taps * (places[:, None] ** 2 + places**2)).sum()) / 2
        rows.append((recipe.blur, kernel.lambda1, kernel.lambda2, variance))
    return np.array(rows).T


def test_the_recorded_variances_order_blurs_as_they_are_applied_and_the_level_does_not(blurs):
    level, lambda1, lambda2, variance = blurs
    assert spearmanr(applied_sigma(lambda1, lambda2), variance)[0] > 0.99
    assert spearmanr(level, variance)[0] < 0.7


def test_the_sigma_is_that_of_the_kernel_and_knows_that_its_taps_end(blurs):
    _, lambda1, lambda2, variance = blurs
    ratio = variance / applied_sigma(lambda1, lambda2) ** 2
    assert np.median(ratio) == pytest.approx(1, abs=0.02)
    assert ratio.min() > 0.85
    assert (variance / ((lambda1 + lambda2) / 2)).min() < 0.8, "Gaussians of large variance are cut off"


def test_no_blur_has_sigma_0():
    assert applied_sigma(np.array([np.nan, 4.0]), np.array([np.nan, 4.0])) == pytest.approx([0, 2], abs=0.01)
