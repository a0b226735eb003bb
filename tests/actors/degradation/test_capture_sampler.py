from collections.abc import Callable

import numpy as np
import pytest
from pydantic import ValidationError

from synfiqa.actors.degradation.recipe_sampler import degraded_recipes, reference_recipes
from synfiqa.schemas.config.generate import BRIGHT_FROM, DARK_BELOW, DegradedSection
from synfiqa.schemas.recipe import Recipe

SECTION = DegradedSection()
MANY = degraded_recipes(11, 5, 4000, SECTION, "corrected")

FAULTS: dict[str, Callable[[Recipe], bool]] = {
    "motion": lambda recipe: recipe.motion > 0,
    "exposure": lambda recipe: not DARK_BELOW < recipe.light.exposure < BRIGHT_FROM,
    "cast": lambda recipe: recipe.light.cast > 0,
    "jpeg": lambda recipe: recipe.jpeg_quality < 75,
    "misalignment": lambda recipe: recipe.misalignment != 0,
    "near_camera": lambda recipe: recipe.camera_distance < 4,
}


def dark(recipe: Recipe) -> bool:
    return recipe.light.exposure < DARK_BELOW


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_has_its_configured_share(name):
    share = np.mean([FAULTS[name](recipe) for recipe in MANY])
    assert share == pytest.approx(getattr(SECTION, f"{name}_rate"), abs=0.02)


def test_noise_has_its_share_and_every_dark_image_has_noise():
    lit = [recipe for recipe in MANY if not dark(recipe)]
    assert np.mean([recipe.noise > 0 for recipe in lit]) == pytest.approx(0.2, abs=0.02)
    assert all(recipe.noise > 2 for recipe in MANY if dark(recipe))


def test_darker_images_are_noisier():
    section = DegradedSection(exposure_rate=1, noise_rate=0)
    shown = [recipe for recipe in degraded_recipes(1, 1, 800, section, "corrected") if dark(recipe)]
    exposure, noise = np.array([(recipe.light.exposure, recipe.noise) for recipe in shown]).T
    assert 300 < len(shown) < 500, "half are dark"
    assert noise[exposure < 0.06].mean() > 2 * noise[exposure > 0.25].mean()


def test_strengths_fill_their_ranges_and_are_mostly_mild():
    drawn = {
        "motion": [recipe.motion for recipe in MANY if recipe.motion],
        "noise": [recipe.noise for recipe in MANY if recipe.noise and not dark(recipe)],
        "cast": [recipe.light.cast for recipe in MANY if recipe.light.cast],
        "misalignment": [abs(recipe.misalignment) for recipe in MANY if recipe.misalignment],
        "near_camera": [recipe.camera_distance for recipe in MANY if recipe.camera_distance < 4],
    }
    for name, values in drawn.items():
        low, high = getattr(SECTION, name)
        assert low <= min(values) < 1.1 * low, name
        assert 0.9 * high < max(values) <= high * 1.0001, name
        assert np.median(values) == pytest.approx(np.sqrt(low * high), rel=0.15), f"{name} is log-uniform"
    qualities = [recipe.jpeg_quality for recipe in MANY if recipe.jpeg_quality < 75]
    assert (min(qualities), max(qualities)) == SECTION.coarse_jpeg
    turns = np.array([recipe.misalignment for recipe in MANY if recipe.misalignment])
    assert np.mean(turns > 0) == pytest.approx(0.5, abs=0.08)


@pytest.mark.parametrize("name", [*FAULTS, "noise"])
def test_a_rate_changes_its_own_fault_alone(name):
    without = degraded_recipes(11, 5, 300, DegradedSection(**{f"{name}_rate": 0}), "corrected")
    moved = {"near_camera": "camera_distance", "jpeg": "jpeg_quality"}.get(name, name)
    for before, after in zip(MANY[:300], without, strict=True):
        changed = {field for field, value in dict(after).items() if value != getattr(before, field)}
        allowed = {"light", "noise"} if name == "exposure" else {"light"} if name == "cast" else {moved}
        assert changed <= allowed
    assert not any(FAULTS.get(name, lambda recipe: recipe.noise > 0 and not dark(recipe))(recipe) for recipe in without)


def test_references_and_the_release_have_no_faults():
    faithful = degraded_recipes(11, 5, 300, SECTION, "faithful")
    for recipe in [*reference_recipes(11, 5, 300, "corrected"), *faithful]:
        assert (recipe.motion, recipe.noise, recipe.misalignment, recipe.light.cast) == (0, 0, 0, 0)
        assert 4 <= recipe.camera_distance <= 10
        assert DARK_BELOW <= recipe.light.exposure <= BRIGHT_FROM
    assert {recipe.jpeg_quality for recipe in faithful} == {75}


@pytest.mark.parametrize(
    "changes",
    [
        {"motion": (5, 31)}, {"noise": (0, 10)}, {"cast": (0.5, 0.2)}, {"exposure": (0, 8)}, {"exposure": (0.7, 4)},
        {"exposure": (0.1, 1.2)}, {"coarse_jpeg": (0, 60)}, {"misalignment": (10, 100)}, {"near_camera": (0.5, 3)},
        {"motion_rate": 1.5},
    ],
)  # fmt: skip
def test_rates_and_ranges_are_checked(changes):
    with pytest.raises(ValidationError, match=next(iter(changes))):
        DegradedSection(**changes)
