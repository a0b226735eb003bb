"""Grey levels beyond black and white: clipped, or wrapped round as in the release."""

import numpy as np
import pytest

from synfiqa.actors.degradation.degrade import draw_kernel
from synfiqa.actors.degradation.released_blur import correlated
from synfiqa.schemas.seeds import generator

SHARPER = np.zeros((3, 3))
SHARPER[1, 0], SHARPER[1, 1] = -0.01, 1.01


def row(*values):
    return np.repeat(np.array(values, np.uint8)[None, :, None], 3, axis=2).repeat(3, axis=0)


def test_the_release_wraps_round_and_corrected_clips():
    # 1.01 * 255 - 0.01 * 100 = 256.55, and 1.01 * 0 - 0.01 * 255 = -2.55.
    image = row(100, 255, 0)
    assert correlated(image, SHARPER, "corrected")[1, :, 0].tolist() == [100, 255, 0]
    assert correlated(image, SHARPER, "faithful")[1, :, 0].tolist() == [100, 0, 254]


def wrapped_share(image):
    shares = []
    for seed in range(6):
        taps = draw_kernel(generator(seed), 1.0, 1.5, "faithful").taps
        wrapped = correlated(image, taps, "faithful").astype(int)
        kept = correlated(image, taps, "corrected").astype(int)
        # The same value truncated instead of rounded is at most 1 away: a larger step is a wrap.
        shares.append((np.abs(wrapped - kept) > 1).mean())
    return max(shares)


def test_binary_pictures_wrap_in_up_to_a_tenth_of_their_values():
    coarse = np.random.default_rng(0).integers(0, 2, (14, 14, 1)) * 255
    image = np.kron(coarse, np.ones((8, 8, 3), int)).astype(np.uint8)
    assert 0.01 < wrapped_share(image) < 0.15


def test_a_face_beside_black_padding_wraps_in_a_thousandth():
    y, x = np.mgrid[:112, :112] / 111
    image = np.repeat((90 + 80 * x + 40 * np.sin(9 * y))[..., None], 3, axis=2).astype(np.uint8)
    image[:, :20] = 0
    assert 0 < wrapped_share(image) < 0.01


@pytest.mark.parametrize("level", [0, 7, 200, 255])
def test_flat_pictures_lose_at_most_one_level_to_truncation(level):
    taps = draw_kernel(generator(3), 2.0, 3.0, "faithful").taps
    flat = np.full((40, 40, 3), level, np.uint8)
    found = correlated(flat, taps, "faithful").astype(int)
    assert ((found == level) | (found == level - 1) | (found == 0)).all()
