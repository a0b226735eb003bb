import pytest
import torch
from torch import nn

from actors.nets.iresnet import GlobalDepthwise


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 5e-3)])
def test_outputs_and_gradients_are_those_of_the_convolution(dtype: torch.dtype, tolerance: float) -> None:
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


def test_without_gradients_it_is_the_convolution_itself() -> None:
    layer = GlobalDepthwise(3)
    x = torch.randn(2, 3, 7, 7)
    with torch.inference_mode():
        assert torch.equal(layer(x), nn.functional.conv2d(x, layer.weight, groups=3))
