"""Each change of a crop does what its strength says, in an exact amount, and the same way every time."""

import numpy as np
import pytest

from benchmarks.quality.face_bars.ladders import crop_changes
from benchmarks.quality.face_bars.ladders.crop_changes import (
    brightened,
    covered_from_below,
    noisy,
    with_gamma,
    with_sunglasses,
)
from synfiqa.actors.imaging.alignment import ARCFACE_TEMPLATE


@pytest.fixture
def crop():
    rows, columns = np.mgrid[:112, :112]
    waves = 110 + 60 * np.sin(rows / 5) * np.cos(columns / 7)
    return np.stack([waves, 0.8 * waves, 0.6 * waves], -1).astype(np.uint8)


NOTHING = {
    "blurred": 0,
    "shrunk": 112,
    "noisy": 0,
    "brightened": 1,
    "with_gamma": 1,
    "covered_from_below": 0,
}
MUCH = {"blurred": 3, "shrunk": 10, "noisy": 40, "brightened": 0.2}
MUCH |= {"with_gamma": 3, "covered_from_below": 0.5}


@pytest.mark.parametrize("name", NOTHING)
def test_the_clean_end_changes_nothing_and_strength_changes_much(crop, name):
    change = getattr(crop_changes, name)
    before = crop.copy()
    assert np.array_equal(change(crop, NOTHING[name], 1), crop)
    spoilt = change(crop, MUCH[name], 1)
    assert spoilt.shape == crop.shape
    assert spoilt.dtype == np.uint8
    assert np.abs(spoilt.astype(int) - crop).mean() > 3
    assert np.array_equal(change(crop, MUCH[name], 1), spoilt)
    assert np.array_equal(crop, before)


def test_noise_is_one_pattern_at_all_strengths_and_another_for_another_seed():
    grey = np.full((112, 112, 3), 128, np.uint8)
    weak, strong = (noisy(grey, sigma, 5).astype(float) - 128 for sigma in (10, 20))
    assert np.corrcoef(weak.ravel(), strong.ravel())[0, 1] > 0.99
    assert strong.std() == pytest.approx(20, rel=0.03)
    assert not np.array_equal(noisy(grey, 10, 5), noisy(grey, 10, 6))


def test_light_and_gamma_follow_their_curves():
    grey = np.full((112, 112, 3), 186, np.uint8)  # half the light of white
    assert brightened(grey, 0.5, 0)[0, 0, 0] == round(186 * 0.5 ** (1 / 2.2))
    assert brightened(grey, 4, 0)[0, 0, 0] == 255
    assert with_gamma(grey, 2, 0)[0, 0, 0] == round(255 * (186 / 255) ** 2)


def test_a_block_covers_its_share_from_below(crop):
    covered = covered_from_below(crop, 0.25, 0)
    assert np.array_equal(covered[:84], crop[:84])
    assert (covered[84:] == 128).all()


def test_sunglasses_darken_the_eyes_and_leave_mouth_and_forehead(crop):
    worn = with_sunglasses(crop)
    for x, y in np.rint(ARCFACE_TEMPLATE[:2]).astype(int):
        assert worn[y - 4 : y + 5, x - 6 : x + 7].max() < 30
    assert np.array_equal(worn[:36], crop[:36])
    assert np.array_equal(worn[66:], crop[66:])
