import numpy as np
import pytest
import torch
from torch import nn

from synfiqa.actors.imaging.gray import STD_FLOOR, standardise_gray
from synfiqa.actors.nets.small_iresnet import GlobalDepthwise, SmallIResNet


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


def test_other_than_four_stages_are_refused():
    with pytest.raises(ValueError, match="four widths"):
        SmallIResNet(widths=(8, 16), blocks=(1, 1))


@pytest.mark.parametrize("first", [4, 8, 16])
def test_every_parameter_has_a_gradient(first):
    net = SmallIResNet(widths=(first, 8, 8, 8), blocks=(1, 1, 1, 1), embedding_dim=8)
    torch.manual_seed(0)
    (net(torch.randn(4, 1, 112, 112)) * torch.randn(4, 8)).sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in net.parameters())


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 5e-3)])
def test_outputs_and_gradients_of_the_pool_are_those_of_the_convolution(dtype: torch.dtype, tolerance: float) -> None:
    torch.manual_seed(0)
    quick = GlobalDepthwise(24)
    plain = nn.Conv2d(24, 24, 7, groups=24, bias=False)
    plain.load_state_dict(quick.state_dict())
    x = torch.randn(5, 24, 7, 7).to(dtype).to(memory_format=torch.channels_last)
    expected_leaf, leaf = x.float().clone().requires_grad_(), x.clone().requires_grad_()
    expected, found = plain(expected_leaf), quick(leaf)
    assert found.shape == (5, 24, 1, 1)
    torch.testing.assert_close(found.float(), expected, atol=5 * tolerance, rtol=tolerance)
    expected.square().sum().backward()
    found.float().square().sum().backward()
    for computed, true in ((leaf.grad, expected_leaf.grad), (quick.weight.grad, plain.weight.grad)):
        assert computed is not None
        assert true is not None
        assert (computed.float() - true).abs().max() <= 5 * tolerance * true.abs().max()


def test_without_gradients_the_pool_is_the_convolution_itself() -> None:
    layer = GlobalDepthwise(3)
    x = torch.randn(2, 3, 7, 7)
    with torch.inference_mode():
        assert torch.equal(layer(x), nn.functional.conv2d(x, layer.weight, groups=3))
