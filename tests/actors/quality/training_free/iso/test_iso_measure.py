"""Measures after ISO/IEC 29794-5: native values of flat pictures, and maps to 0..100 by hand."""

import math

import numpy as np
import pytest

from synfiqa.actors.quality.training_free.iso import native_values as native
from synfiqa.actors.quality.training_free.iso import quality_maps as maps
from synfiqa.actors.quality.training_free.iso.face_region import cheek_mask, face_mask
from synfiqa.actors.quality.training_free.iso.iso_measure import IsoMeasure
from synfiqa.schemas.errors import UserError
from tests.actors.quality.training_free.tiny import quality_card


def flat(*colour):
    return np.full((1, 112, 112, 3), colour, np.uint8)


@pytest.mark.parametrize(
    ("function", "value", "expected"),
    [
        (maps.luminance_mean, 0.5, 100 / (1 + math.exp(-6)) * (1 - 1 / (1 + math.exp(6)))),
        (maps.luminance_mean, 0.2, 50.0),
        (maps.luminance_mean, 1.0, 1.7986),
        (maps.luminance_variance, 0.0, 0.0),
        (maps.luminance_variance, 1 / 60, 100.0),
        (maps.luminance_variance, 0.05, 100 * math.sin(0.75 * math.pi)),
        (maps.under_exposure, 0.0, 99.84),
        (maps.under_exposure, 0.92, 120 * 0.332),
        (maps.under_exposure, 1.0, 0.0),
        (maps.over_exposure, 0.0, 100.0),
        (maps.over_exposure, 0.09, 10.0),
        (maps.dynamic_range, 4.0, 50.0),
        (maps.dynamic_range, 8.0, 100.0),
        (maps.natural_colour, 0.0, 100.0),
        (maps.natural_colour, 10.0, 200 * (1 - 1 / (1 + math.exp(-1)))),
    ],
)
def test_maps_are_those_of_the_table(function, value, expected):
    assert function(np.array([value])) == pytest.approx([expected], abs=1e-3)


def test_luminance_of_flat_and_striped_pictures():
    shares = native.histograms(np.concatenate([flat(0, 0, 0), flat(51, 51, 51), flat(255, 255, 255)]))
    assert native.mean(shares) == pytest.approx([0, 0.2, 1])
    assert native.variance(shares) == pytest.approx([0, 0, 0], abs=1e-15)
    assert native.dark_share(shares).tolist() == [1, 0, 0]
    assert native.bright_share(shares).tolist() == [0, 0, 1]
    assert native.entropy(shares).tolist() == [0, 0, 0]
    halves = flat(0, 0, 0)
    rows = np.flatnonzero(face_mask().ravel())[::2]
    halves.reshape(-1, 3)[rows] = 255
    shares = native.histograms(halves)
    assert native.mean(shares) == pytest.approx([0.5], abs=1e-3)
    assert native.variance(shares) == pytest.approx([0.25], abs=1e-3)
    assert native.entropy(shares) == pytest.approx([1], abs=1e-3)


def test_weights_of_the_channels_are_those_of_rec_709():
    assert native.mean(native.histograms(flat(0, 255, 0))) == pytest.approx([round(0.7152 * 255) / 255])


def test_only_the_region_counts():
    picture = flat(100, 100, 100)
    picture[0, ~face_mask()] = 255
    assert native.bright_share(native.histograms(picture)).tolist() == [0]
    assert 0.25 < face_mask().mean() < 0.5
    assert (cheek_mask() & ~face_mask()).sum() == 0
    assert cheek_mask()[:, :56].sum() > 80
    assert cheek_mask()[:, 56:].sum() > 80


def test_colours_of_skin_have_no_distance():
    found = native.colour_distance(np.concatenate([flat(200, 150, 125), flat(128, 128, 128), flat(0, 0, 255)]))
    assert found[0] == 0
    # Grey has a* = b* = 0: 5 below both ranges.
    assert found[1] == pytest.approx(math.hypot(5, 5), abs=0.05)
    assert found[2] > 100


@pytest.mark.parametrize(
    "measure",
    ["luminance-mean", "luminance-variance", "under-exposure", "over-exposure", "dynamic-range", "natural-colour"],
)
def test_every_measure_is_within_0_and_100(measure):
    draw = np.random.default_rng(0).integers(0, 256, (4, 112, 112, 3), dtype=np.uint8)
    pictures = np.concatenate([draw, flat(0, 0, 0), flat(255, 255, 255)])
    scores = IsoMeasure(quality_card("iso-measure", measure=measure)).score(pictures)
    assert (scores.dtype, scores.shape) == (np.float64, (6,))
    assert ((scores >= 0) & (scores <= 100)).all()


def test_an_unknown_measure_is_refused():
    with pytest.raises(UserError, match="there is no measure 'beauty'; choose among luminance-mean"):
        IsoMeasure(quality_card("iso-measure", measure="beauty"))
