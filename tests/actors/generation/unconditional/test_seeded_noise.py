import numpy as np
import pytest
import torch
from scipy.stats import kstest

from synfiqa.actors.generation.unconditional.seeded_noise import gaussian_noise, philox

WORD = 0xFFFFFFFF


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((WORD,) * 4, (WORD,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_words_are_those_of_the_published_known_answers(counter, key, expected):
    found = philox([torch.tensor([word]) for word in counter], [torch.tensor([word]) for word in key])
    assert tuple(word.item() for word in found) == expected


def test_noise_is_normal_and_uncorrelated_between_places_channels_draws_and_seeds():
    seeds = torch.tensor([1, 2, 1 << 40, (1 << 63) - 1])
    noise = torch.stack([gaussian_noise(seeds, draw, (3, 64, 64)) for draw in (0, 1, 99)])
    assert (noise.dtype, noise.shape) == (torch.float32, (3, 4, 3, 64, 64))
    for image in noise.flatten(0, 1):
        assert kstest(image.flatten().double().numpy(), "norm").pvalue > 1e-4
    assert noise.abs().max() < 5.9
    parts = noise.flatten(0, 2).flatten(1).numpy()
    correlation = np.corrcoef(parts) - np.eye(len(parts))
    assert np.abs(correlation).max() < 5 / np.sqrt(64 * 64)
    flat = noise.flatten(0, 1).flatten(1).numpy()
    assert all(abs(np.corrcoef(row[:-1], row[1:])[0, 1]) < 5 / np.sqrt(row.size) for row in flat)


def test_noise_of_an_image_depends_on_its_seed_and_draw_alone():
    together = gaussian_noise(torch.tensor([5, 6, 7]), 4, (3, 8, 8))
    assert torch.equal(gaussian_noise(torch.tensor([6]), 4, (3, 8, 8))[0], together[1])
    assert torch.equal(gaussian_noise(torch.tensor([7, 5]), torch.tensor(4), (3, 8, 8)), together[[2, 0]])
    assert not torch.equal(gaussian_noise(torch.tensor([6]), 5, (3, 8, 8))[0], together[1])


def test_seeds_that_share_their_lower_half_differ():
    first, second = gaussian_noise(torch.tensor([3, 3 + (1 << 32)]), 0, (5,))
    assert not torch.equal(first, second)
