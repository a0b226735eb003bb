import numpy as np
import pytest
import torch

from synfiqa.actors.generation.unconditional.candidates import candidates, to_pixels


def ramp(low, high):
    return torch.linspace(low, high, 12).reshape(1, 3, 2, 2)


def test_fixed_pixels_map_minus_one_to_one_onto_all_levels_and_hold_the_rest():
    image = torch.tensor([-1.5, -1.0, -0.5, 0.0, 1.0, 1.2]).reshape(1, 3, 1, 2)
    found = to_pixels(image, "fixed")
    assert (found.dtype, found.shape) == (np.uint8, (1, 1, 2, 3))
    assert found[0, 0].T.ravel().tolist() == [0, 0, 64, 128, 255, 255]


def test_stretched_pixels_reach_from_black_to_white_in_each_image_by_itself():
    found = to_pixels(torch.cat([ramp(-0.5, 0.25), ramp(-1, 1)]), "stretched")
    assert (found.min(axis=(1, 2, 3)), found.max(axis=(1, 2, 3))) == (pytest.approx([0, 0]), pytest.approx([255, 255]))
    assert np.array_equal(found[0], found[1])


def test_stretching_an_even_picture_gives_black():
    assert to_pixels(torch.full((1, 3, 2, 2), 0.3), "stretched").max() == 0


def plain(seeds):
    return torch.stack([torch.full((3, 2, 2), seed / 100) for seed in seeds])


def test_samplers_see_constant_batches_and_seeds_keep_their_order():
    calls = []

    def sample(seeds):
        calls.append(seeds)
        return plain(seeds)

    found = candidates([10, 20, 30, 40, 50], 2, sample, "fixed")
    assert calls == [[10, 20], [30, 40], [50, 50]]
    assert [candidate.image[0, 0, 0] for candidate in found] == [140, 153, 166, 179, 191]
    assert [candidate.attributes for candidate in found] == [{}] * 5
    assert candidates([], 2, sample, "fixed") == []


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
def test_pictures_that_are_not_finite_are_named_by_seed(broken):
    def sample(seeds):
        images = plain(seeds)
        images[seeds.index(20), 1, 0, 1] = broken
        return images

    with pytest.raises(ValueError, match=r"these seeds are not finite numbers: 20$"):
        candidates([10, 20, 30], 3, sample, "fixed")
