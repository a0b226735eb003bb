import numpy as np
import pytest
import torch

from actors.nets.iresnet import STD_FLOOR, SmallIResNet, standardise_gray


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (5, 112, 112, 3), dtype=np.uint8)


def test_grey_input_has_mean_zero_and_deviation_one_per_image(images):
    gray = standardise_gray(images)
    assert gray.shape == (5, 1, 112, 112)
    assert gray.dtype == torch.float32
    assert gray.mean(dim=(1, 2, 3)).abs().max() < 1e-4
    assert (gray.std(dim=(1, 2, 3), correction=0) - 1).abs().max() < 1e-4


def test_grey_is_bt601_luma():
    image = np.zeros((1, 112, 112, 3), np.uint8)
    image[0, 0, 0], image[0, 0, 1], image[0, 0, 2] = (200, 0, 0), (0, 200, 0), (0, 0, 200)
    gray = standardise_gray(image)[0, 0]
    black = gray[5, 5]
    red, green, blue = (float(gray[0, column] - black) for column in range(3))
    assert [red / green, blue / green] == pytest.approx([0.299 / 0.587, 0.114 / 0.587], rel=1e-4)


def test_brightness_and_contrast_of_the_photograph_do_not_matter(images):
    half = standardise_gray(images // 4 * 2)
    quarter = standardise_gray(images // 4)
    assert (half - quarter).abs().max() < 1e-4


def test_flat_image_is_not_amplified_to_noise():
    flat = np.full((1, 112, 112, 3), 90, np.uint8)
    assert standardise_gray(flat).abs().max() < 1e-4
    flat[0, ::2] += 1
    assert standardise_gray(flat).abs().max() <= 0.5 / STD_FLOOR + 1e-4


@pytest.mark.parametrize(
    "wrong", [np.zeros((112, 112, 3), np.uint8), np.zeros((1, 112, 112), np.uint8), np.zeros((1, 112, 112, 3))]
)
def test_wrong_input_is_refused(wrong):
    with pytest.raises(ValueError, match="expected uint8 RGB"):
        standardise_gray(wrong)


@pytest.mark.parametrize(
    ("channels", "widths", "blocks"), [(1, (8, 16, 24, 32), (1, 1, 1, 1)), (3, (4, 4, 8, 8), (2, 1, 2, 1))]
)
def test_shapes_follow_the_arguments(channels, widths, blocks):
    net = SmallIResNet(channels, widths, blocks, embedding_dim=20).eval()
    x = torch.zeros(2, channels, 112, 112)
    assert net.feature_map(x).shape == (2, widths[-1], 7, 7)
    assert net(x).shape == (2, 20)


def test_four_stages_are_demanded():
    with pytest.raises(ValueError, match="four widths"):
        SmallIResNet(widths=(8, 16), blocks=(1, 1))


@pytest.mark.parametrize("first", [4, 8, 16])
def test_every_parameter_learns(first):
    net = SmallIResNet(widths=(first, 8, 8, 8), blocks=(1, 1, 1, 1), embedding_dim=8)
    torch.manual_seed(0)
    (net(torch.randn(4, 1, 112, 112)) * torch.randn(4, 8)).sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in net.parameters())
