import pytest
import torch
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models import resnet18

from synfiqa.actors.model_store.rehearsal import random_state
from synfiqa.actors.nets.bisenet import BiSeNet


@pytest.fixture(scope="module")
def network():
    net = BiSeNet()
    net.load_state_dict(random_state(net, seed=3, gain=1.0))
    return net.eval().requires_grad_(False)


def test_published_names_and_sizes():
    with torch.device("meta"):
        state = BiSeNet().state_dict()
        trunk = {key for key in resnet18().state_dict() if not key.startswith("fc.")}
    assert {key.removeprefix("cp.resnet.") for key in state if key.startswith("cp.resnet.")} == trunk
    shapes = {key: tuple(value.shape) for key, value in state.items()}
    assert shapes["cp.arm16.conv.conv.weight"] == (128, 256, 3, 3)
    assert shapes["cp.arm32.bn_atten.running_var"] == (128,)
    assert shapes["cp.conv_avg.conv.weight"] == (128, 512, 1, 1)
    assert shapes["cp.conv_head32.bn.weight"] == shapes["cp.conv_head16.bn.weight"] == (128,)
    assert shapes["ffm.convblk.conv.weight"] == (256, 256, 1, 1)
    assert shapes["ffm.conv1.weight"][:2] == shapes["ffm.conv2.weight"][1::-1] == (64, 256)
    assert shapes["conv_out.conv.conv.weight"] == (256, 256, 3, 3)
    assert shapes["conv_out.conv_out.weight"] == (19, 256, 1, 1)
    assert {key.split(".")[0] for key in state} == {"cp", "ffm", "conv_out"}
    with torch.device("meta"):
        assert sum(each.numel() for each in BiSeNet().parameters()) == 13_150_272


def test_an_independent_forward_from_the_state_agrees(network):
    state = network.state_dict()

    def unit(x, name, padding=0):
        x = functional.conv2d(x, state[f"{name}.conv.weight"], padding=padding)
        return functional.relu(norm(x, f"{name}.bn"))

    def norm(x, name):
        means = (state[f"{name}.{kind}"] for kind in ("running_mean", "running_var", "weight", "bias"))
        return functional.batch_norm(x, *means)

    def refined(x, name):
        x = unit(x, f"{name}.conv", 1)
        weight = functional.conv2d(functional.adaptive_avg_pool2d(x, 1), state[f"{name}.conv_atten.weight"])
        return x * norm(weight, f"{name}.bn_atten").sigmoid()

    trunk = resnet18().eval()
    trunk.load_state_dict({k[10:]: v for k, v in state.items() if k.startswith("cp.resnet.")}, strict=False)
    x = torch.randn(2, 3, 96, 64, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        h = trunk.layer1(trunk.maxpool(trunk.relu(trunk.bn1(trunk.conv1(x)))))
        eighth = trunk.layer2(h)
        sixteenth = trunk.layer3(eighth)
        last = trunk.layer4(sixteenth)
        coarse = refined(last, "cp.arm32") + unit(functional.adaptive_avg_pool2d(last, 1), "cp.conv_avg")
        coarse = unit(functional.interpolate(coarse, scale_factor=2), "cp.conv_head32", 1)
        context = functional.interpolate(refined(sixteenth, "cp.arm16") + coarse, scale_factor=2)
        fused = unit(torch.cat([eighth, unit(context, "cp.conv_head16", 1)], 1), "ffm.convblk")
        weight = functional.adaptive_avg_pool2d(fused, 1)
        weight = functional.conv2d(weight, state["ffm.conv1.weight"]).relu()
        fused = fused * (1 + functional.conv2d(weight, state["ffm.conv2.weight"]).sigmoid())
        small = functional.conv2d(unit(fused, "conv_out.conv", 1), state["conv_out.conv_out.weight"])
        wanted = functional.interpolate(small, (96, 64), mode="bilinear", align_corners=True)
        found = network(x)
    assert found.shape == (2, 19, 96, 64)
    assert torch.allclose(found, wanted, rtol=1e-4, atol=1e-4 * wanted.abs().max())


def test_sizes_that_do_not_divide_are_parsed(network):
    with torch.inference_mode():
        assert network(torch.randn(1, 3, 50, 37)).shape == (1, 19, 50, 37)


def test_cost_at_the_size_of_a_pseudo_identity():
    with torch.device("meta"), torch.inference_mode(), FlopCounterMode(display=False) as counter:
        BiSeNet().eval()(torch.empty(1, 3, 256, 256))
    assert counter.get_total_flops() / 1e9 == pytest.approx(6.69, rel=0.01)
