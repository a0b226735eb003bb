"""Means over whole pixels equal those that MTCNN was trained with."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from synfiqa.actors.face_analysis.photo_search.area_means import AreaMeans

IMAGE = np.random.default_rng(0).integers(0, 256, (97, 131, 3), dtype=np.uint8)


def reference(image, height, width):
    pixels = torch.from_numpy(image).permute(2, 0, 1)[None].float()
    found = functional.interpolate(pixels, size=(height, width), mode="area")
    return ((found - 127.5) / 128)[0].permute(1, 2, 0).numpy()


@pytest.mark.parametrize("size", [(97, 131), (59, 79), (13, 18), (1, 1), (120, 200)])
def test_a_whole_picture(size):
    found = AreaMeans(IMAGE).whole(*size)
    assert found.shape == (1, *size, 4)
    np.testing.assert_allclose(found[0, ..., :3], reference(IMAGE, *size), atol=2e-6)


@pytest.mark.parametrize("side", [24, 48])
def test_parts_smaller_and_larger_than_the_output(side):
    corners = np.array([[0, 0, 131, 97], [3, 5, 80, 90], [100, 60, 110, 71], [130, 96, 131, 97]])
    found = AreaMeans(IMAGE).parts(corners, side)
    for part, (x0, y0, x1, y1) in zip(found, corners, strict=True):
        np.testing.assert_allclose(part[..., :3], reference(IMAGE[y0:y1, x0:x1], side, side), atol=2e-6)


def test_rows_of_a_whole_picture_are_its_rows():
    means = AreaMeans(IMAGE)
    np.testing.assert_array_equal(means.whole(59, 79, 10, 22), means.whole(59, 79)[:, 10:22])


def test_sums_beyond_32_bits_wrap_without_harm():
    """A white picture of nine megapixels has a sum of more than 2^31."""
    white = np.full((3000, 3000, 3), 255, np.uint8)
    np.testing.assert_allclose(AreaMeans(white).whole(30, 30)[..., :3], 127.5 / 128, atol=1e-6)
