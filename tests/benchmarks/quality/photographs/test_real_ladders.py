"""Figures of ladders: agreement of scores with the similarity of a real recogniser."""

import numpy as np
import pytest

from benchmarks.quality.photographs.real_ladders import Ladders, brightness, figures_of

FAULT = np.array(["", "noise", "noise", "JPEG", "JPEG"] * 2)
SIMILARITY = np.array([0.9, 0.5, 0.1, 0.8, 0.4, 0.95, 0.6, 0.2, 0.7, 0.3])


@pytest.fixture
def ladders():
    crops = np.zeros((10, 112, 112, 3), np.uint8)
    level = np.array([0, 0.5, 1, 0.5, 1] * 2)
    return Ladders(crops, np.repeat([0, 1], 5), FAULT, level, SIMILARITY, 0)


def test_a_score_in_the_order_of_similarity_is_perfect(ladders):
    figures = figures_of(ladders, SIMILARITY**3)
    assert (figures.pooled, figures.within, figures.bias) == pytest.approx((1, 1, 0))


def test_a_fault_that_is_not_seen_shows_in_bias_and_drop(ladders):
    """The model of 2026 gave noisy photographs the score of clean ones."""
    blind = np.where(FAULT == "noise", 0.92, SIMILARITY)
    figures = figures_of(ladders, blind)
    assert figures.bias > 0.2
    assert figures.pooled < 0.7
    assert figures.drops["noise"] == pytest.approx((0.925 - 0.92) / 0.025)
    assert figures.drops["JPEG"] == pytest.approx((0.925 - 0.55) / 0.025)


def test_the_brightness_is_that_of_the_middle_of_the_face():
    crops = np.full((2, 112, 112, 3), 10, np.uint8)
    crops[1, 45:95, 30:80] = 200
    np.testing.assert_array_equal(brightness(crops), [10, 200])
