"""One value of near, dark and bright: recipes, captions, severities and reports agree on both sides of it."""

import numpy as np
import pytest

from synfiqa.actors.image_text.captions import attributes
from synfiqa.schemas.config.generate import BRIGHT_FROM, DARK_BELOW, NEAR_BELOW, DegradedSection
from synfiqa.schemas.factors import FACTORS
from synfiqa.schemas.factors.capture import DISTANCE
from synfiqa.schemas.factors.light import EXPOSURE
from synfiqa.schemas.recipe import Light, Recipe


def light_class(gain):
    return attributes(Recipe(kind="degraded", seed=0, light=Light(exposure=gain)))["light"]


def test_a_camera_is_near_below_one_distance():
    near = DISTANCE.thresholds["near"]
    assert near == NEAR_BELOW == DegradedSection().near_camera[1]
    (severity,) = DISTANCE.severities
    assert severity.of(np.array([near - 0.1, near, near + 0.1])) == pytest.approx([0.1, 0, -0.1])
    for distance, is_near in ((near - 0.01, True), (near + 0.01, False)):
        assert DISTANCE.caption.classify(distance) == ("near" if is_near else "usual")
        assert DISTANCE.shown.visible(distance) is is_near


def test_light_is_dark_and_bright_from_one_gain_each():
    assert (EXPOSURE.thresholds["dark"], EXPOSURE.thresholds["bright"]) == (DARK_BELOW, BRIGHT_FROM)
    gains = [DARK_BELOW - 0.01, DARK_BELOW + 0.01, BRIGHT_FROM - 0.01, BRIGHT_FROM + 0.01]
    assert [light_class(gain) for gain in gains] == ["dark", "even", "even", "bright"]
    assert [EXPOSURE.shown.visible(gain) for gain in gains] == [True, False, False, True]


def test_no_threshold_has_two_values_by_use():
    names = {name for row in FACTORS for name in row.thresholds}
    assert names == {"near", "dark", "bright", "tilted", "visible", "behind"}
