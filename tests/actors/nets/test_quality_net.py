"""The quality network: its input handling, batches and initialisation."""

import numpy as np
import torch

from synfiqa.actors.imaging.gray import standardise_gray
from synfiqa.actors.nets.quality_net import QualityNet, exposure, to_gray


def test_gray_is_that_of_the_embedders_up_to_rounding():
    images = np.random.default_rng(0).integers(0, 256, (3, 112, 112, 3), np.uint8)
    exact = images @ np.array([0.299, 0.587, 0.114])
    assert np.abs(to_gray(images) - exact).max() <= 0.5 + 1e-4
    assert to_gray(np.full((1, 2, 2, 3), 255, np.uint8)).max() == 255
    assert torch.allclose(standardise_gray(images).mean(), torch.tensor(0.0), atol=1e-4)


def test_a_dark_flat_image_has_another_exposure_but_finite_scores():
    network = QualityNet((4, 8, 8, 8)).eval()
    extremes = torch.stack([torch.zeros(112, 112), torch.full((112, 112), 255.0), torch.rand(112, 112) * 255])
    assert torch.isfinite(network(extremes)).all()
    assert exposure(extremes).abs().max() <= 1.0 + 1e-5
    assert exposure(extremes)[0, 0] == -1
    assert exposure(extremes)[1, 0] == 1


def test_a_batch_never_changes_a_score():
    network = QualityNet((4, 8, 8, 8)).eval()
    gray = torch.rand(5, 112, 112) * 255
    whole = network(gray)
    assert whole.shape == (5,)
    torch.testing.assert_close(whole, torch.cat([network(one[None]) for one in gray]), rtol=1e-4, atol=1e-5)
