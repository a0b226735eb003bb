import pytest
import torch

from synfiqa.actors.generation.controlled_diffusion.cost import count
from synfiqa.actors.generation.controlled_diffusion.layout import FULL
from synfiqa.actors.generation.controlled_diffusion.weights import skeletons


def test_full_size_has_the_published_parameters():
    with torch.device("meta"):
        networks = skeletons(FULL)
        tokens = networks.vision(torch.empty(1, 3, 224, 224)).last_hidden_state
    sizes = {name: sum(each.numel() for each in module.parameters()) for name, module in vars(networks).items()}
    assert sizes["unet"] == 859_520_964
    assert sizes["control"] == 361_282_865
    assert sizes["decoder"] == 49_490_179 + 20
    assert sizes["context"] == 1024 * 768 + 512 * 768 + 2 * 768
    assert sizes["text"] == pytest.approx(123e6, rel=0.01)
    assert tokens.shape == (1, 257, 1024)


def test_an_image_costs_40_instead_of_46_teraflop():
    cost = count(FULL, 512)
    assert cost.unet / 1e9 == pytest.approx(803.3, rel=0.001)
    assert (cost.branch + cost.stem) / 1e9 == pytest.approx(290.4, rel=0.001)
    assert cost.stem / 1e9 == pytest.approx(15.2, rel=0.001)
    assert cost.decoder / 1e9 == pytest.approx(2514.5, rel=0.001)
    assert cost.image() / 1e12 == pytest.approx(40.2, rel=0.01)
    assert cost.released_image() / 1e12 == pytest.approx(46.3, rel=0.01)
    assert 1 - cost.image() / cost.released_image() == pytest.approx(0.132, abs=0.001)
