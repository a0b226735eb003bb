import pytest
import torch
from torch import Tensor, nn

from synfiqa.actors.nets.prelu import QuickPReLU


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_outputs_and_gradients_are_those_of_torch(dtype: torch.dtype, layout: torch.memory_format) -> None:
    plain, quick = nn.PReLU(24), QuickPReLU(24)
    with torch.no_grad():
        plain.weight.copy_(torch.linspace(-0.5, 1.5, 24))
    quick.load_state_dict(plain.state_dict())
    x = torch.randn(5, 24, 9, 7, generator=torch.Generator().manual_seed(0)).to(dtype, memory_format=layout)
    x[0, :, 0, 0] = 0
    upstream = torch.randn(5, 24, 9, 7, generator=torch.Generator().manual_seed(1)).to(dtype, memory_format=layout)
    results: list[tuple[Tensor, Tensor, Tensor]] = []
    for layer in (plain, quick):
        leaf = x.clone(memory_format=torch.preserve_format).requires_grad_()
        # autocast gives torch's layer its weight in the dtype of the images
        output = nn.functional.prelu(leaf, layer.weight.to(dtype)) if layer is plain else layer(leaf)
        output.backward(upstream)
        assert leaf.grad is not None
        assert layer.weight.grad is not None
        results.append((output, leaf.grad, layer.weight.grad))
    (output, of_x, of_weight), (quick_output, quick_of_x, quick_of_weight) = results
    assert torch.equal(output, quick_output)
    tolerance = 1e-6 if dtype == torch.float32 else 1e-2
    torch.testing.assert_close(quick_of_x, of_x, atol=tolerance, rtol=tolerance)
    assert (quick_of_weight - of_weight).abs().max() <= tolerance * of_weight.abs().max()
    assert quick_of_weight.dtype == torch.float32


def test_without_gradients_it_is_torch_itself() -> None:
    layer = QuickPReLU(3)
    x = torch.randn(2, 3, 4, 4)
    with torch.inference_mode():
        assert torch.equal(layer(x), nn.functional.prelu(x, layer.weight))


def test_weights_of_torchs_layer_load() -> None:
    assert QuickPReLU(3).state_dict().keys() == nn.PReLU(3).state_dict().keys()
