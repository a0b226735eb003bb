import math
import re

import pytest
import torch
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from synfiqa.actors.model_store.rehearsal import random_state
from synfiqa.actors.nets.adm_unet import AdmUNet, time_features

TINY = {
    "image_size": 32,
    "base": 32,
    "multipliers": (1, 2, 2),
    "res_blocks": 1,
    "attention_at": (16,),
    "head_channels": 16,
}
ENDS = r"\.(weight|bias)"
GRAMMAR = rf"""
    time_embed\.[02]{ENDS}
  | input_blocks\.0\.0{ENDS}
  | (input_blocks\.([1-9]|1[01])\.0 | middle_block\.[02] | output_blocks\.([0-9]|1[01])\.[0-2])
    \.(in_layers\.[02] | emb_layers\.1 | out_layers\.[03] | skip_connection){ENDS}
  | (input_blocks\.9\.1 | middle_block\.1 | output_blocks\.[23]\.1)\.(norm | qkv | proj_out){ENDS}
  | out\.[02]{ENDS}
"""


@pytest.fixture(scope="module")
def published():
    with torch.device("meta"):
        return AdmUNet().eval()


@pytest.fixture(scope="module")
def state():
    with torch.device("meta"):
        return random_state(AdmUNet(**TINY), seed=5)


@pytest.fixture(scope="module")
def tiny(state):
    network = AdmUNet(**TINY).eval().requires_grad_(False)
    network.load_state_dict(state)
    return network


@pytest.fixture(scope="module")
def noisy():
    return torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))


STEPS = torch.tensor([0, 500, 999])


def slow_res(state, name, x, time, resample):
    """One residual block from its tensors, each in the order of the published description."""

    def resampled(y):
        if resample == "up":
            return y.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
        if resample == "down":
            return (y[:, :, ::2, ::2] + y[:, :, 1::2, ::2] + y[:, :, ::2, 1::2] + y[:, :, 1::2, 1::2]) / 4
        return y

    def layer(part):
        return state[f"{name}.{part}.weight"], state[f"{name}.{part}.bias"]

    h = slow_norm(x, *layer("in_layers.0"))
    h = functional.conv2d(resampled(h * torch.sigmoid(h)), *layer("in_layers.2"), padding=1)
    scale, shift = functional.linear(time * torch.sigmoid(time), *layer("emb_layers.1")).chunk(2, dim=1)
    h = slow_norm(h, *layer("out_layers.0")) * (1 + scale[..., None, None]) + shift[..., None, None]
    h = functional.conv2d(h * torch.sigmoid(h), *layer("out_layers.3"), padding=1)
    x = resampled(x)
    if f"{name}.skip_connection.weight" in state:
        x = functional.conv2d(x, *layer("skip_connection"))
    return x + h


def slow_norm(x, weight, bias):
    groups = x.reshape(len(x), 32, -1)
    centred = groups - groups.mean(dim=2, keepdim=True)
    scaled = centred / (centred.square().mean(dim=2, keepdim=True) + 1e-5).sqrt()
    return scaled.reshape(x.shape) * weight[:, None, None] + bias[:, None, None]


def slow_attention(state, name, x, width):
    """Head by head, query by query: the head's rows of qkv are its query, then its key, then its value."""
    flat = slow_norm(x, state[f"{name}.norm.weight"], state[f"{name}.norm.bias"]).flatten(2)
    qkv = functional.conv1d(flat, state[f"{name}.qkv.weight"], state[f"{name}.qkv.bias"])
    mixed = []
    for head in range(x.shape[1] // width):
        query, key, value = qkv[:, 3 * width * head : 3 * width * (head + 1)].split(width, dim=1)
        query, key = query * width**-0.25, key * width**-0.25
        weights = torch.softmax(torch.einsum("nct,ncs->nts", query, key), dim=2)
        mixed.append(torch.einsum("nts,ncs->nct", weights, value))
    out = functional.conv1d(torch.cat(mixed, dim=1), state[f"{name}.proj_out.weight"], state[f"{name}.proj_out.bias"])
    return x + out.reshape(x.shape)


def slow_forward(state, x, steps):
    """The tiny network written down from its tensors alone, block by block."""

    def layer(name):
        return state[f"{name}.weight"], state[f"{name}.bias"]

    angles = [[step * 10_000 ** (-index / 16) for index in range(16)] for step in steps.tolist()]
    waves = torch.tensor([[*map(math.cos, row), *map(math.sin, row)] for row in angles])
    time = functional.linear(waves, *layer("time_embed.0"))
    time = functional.linear(time * torch.sigmoid(time), *layer("time_embed.2"))
    h = functional.conv2d(x, *layer("input_blocks.0.0"), padding=1)
    skips = [h]
    for number, resample in ((1, ""), (2, "down"), (3, ""), (4, "down"), (5, "")):
        h = slow_res(state, f"input_blocks.{number}.0", h, time, resample)
        if number == 3:
            h = slow_attention(state, "input_blocks.3.1", h, 16)
        skips.append(h)
    h = slow_res(state, "middle_block.0", h, time, "")
    h = slow_attention(state, "middle_block.1", h, 16)
    h = slow_res(state, "middle_block.2", h, time, "")
    for number, attention, up in ((0, 0, 0), (1, 0, 1), (2, 1, 0), (3, 1, 2), (4, 0, 0), (5, 0, 0)):
        h = slow_res(state, f"output_blocks.{number}.0", torch.cat([h, skips.pop()], dim=1), time, "")
        if attention:
            h = slow_attention(state, f"output_blocks.{number}.1", h, 16)
        if up:
            h = slow_res(state, f"output_blocks.{number}.{up}", h, time, "up")
    h = slow_norm(h, *layer("out.0"))
    return functional.conv2d(h * torch.sigmoid(h), *layer("out.2"), padding=1)


def test_published_network_has_93_563_910_parameters_in_362_tensors(published):
    state = published.state_dict()
    assert sum(tensor.numel() for tensor in state.values()) == 93_563_910
    assert len(state) == 362


def test_keys_follow_the_published_grammar(published):
    state = published.state_dict()
    assert [key for key in state if not re.fullmatch(GRAMMAR, key, re.VERBOSE)] == []
    assert state["input_blocks.0.0.weight"].shape == (128, 3, 3, 3)
    assert state["input_blocks.9.1.qkv.weight"].shape == (1536, 512, 1)
    assert state["out.2.weight"].shape == (6, 128, 3, 3)
    assert state["time_embed.0.weight"].shape == (512, 128)
    skips = {key.removesuffix(".skip_connection.weight") for key in state if key.endswith("skip_connection.weight")}
    assert {name for name in skips if name.startswith("input")} == {"input_blocks.5.0", "input_blocks.9.0"}
    assert {name for name in skips if name.startswith("output")} == {f"output_blocks.{n}.0" for n in range(12)}
    ups = {key.split(".in_layers")[0] for key in state if re.match(r"output_blocks\.\d+\.[12]\.in_layers", key)}
    assert ups == {f"output_blocks.{place}" for place in ("1.1", "3.2", "5.1", "7.1", "9.1")}


def test_published_network_costs_387_9_gflop_per_image(published):
    with FlopCounterMode(display=False) as counter:
        found = published(torch.empty(1, 3, 256, 256, device="meta"), torch.empty(1, dtype=torch.long, device="meta"))
    assert found.shape == (1, 6, 256, 256)
    assert counter.get_total_flops() / 1e9 == pytest.approx(387.9, rel=0.01)


def test_time_features_are_cosines_then_sines_of_falling_frequencies():
    found = time_features(torch.tensor([0, 7]), 8)
    assert found[0].tolist() == [1, 1, 1, 1, 0, 0, 0, 0]
    angles = [7.0, 0.7, 0.07, 0.007]
    assert found[1].tolist() == pytest.approx([*map(math.cos, angles), *map(math.sin, angles)], abs=1e-6)


def test_forward_is_the_published_network(state, tiny, noisy):
    expected = slow_forward(state, noisy, STEPS)
    assert expected.std() > 0.1
    torch.testing.assert_close(tiny(noisy, STEPS), expected, atol=1e-5, rtol=1e-5)


def test_time_changes_the_prediction(tiny, noisy):
    early, late = tiny(noisy[:1], torch.tensor([10])), tiny(noisy[:1], torch.tensor([20]))
    assert (early - late).abs().max() > 1e-3


def test_prediction_does_not_depend_on_neighbours_or_memory_layout(tiny, noisy):
    together = tiny(noisy, STEPS)
    swapped = tiny(noisy.flip(0), STEPS.flip(0)).flip(0)
    assert torch.equal(together, swapped)
    beside = tiny(noisy.contiguous(memory_format=torch.channels_last), STEPS)
    torch.testing.assert_close(beside, together, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.bfloat16, 3e-2), (torch.float16, 4e-3)])
def test_half_precision_is_close_with_norms_and_time_in_float32(state, tiny, noisy, dtype, tolerance):
    half = AdmUNet(**TINY).eval().requires_grad_(False)
    half.load_state_dict(state)
    half.to_precision(dtype)
    seen = []
    for module in half.modules():
        if isinstance(module, torch.nn.GroupNorm | torch.nn.Linear):
            module.register_forward_hook(lambda module, inputs, output: seen.append((inputs[0].dtype, output.dtype)))
    found, expected = half(noisy, STEPS), tiny(noisy, STEPS)
    assert set(seen) == {(torch.float32, torch.float32)}
    assert half.input_blocks[1][0].in_layers[2].weight.dtype == dtype
    assert found.dtype == torch.float32
    assert 0 < (found - expected).abs().max() < tolerance * expected.abs().max()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"base": 48}, "base must be a multiple of 32"),
        ({"image_size": 30}, "image_size must be a multiple of 4"),
        ({"attention_at": (16, 5)}, r"attention_at \[5\] is no side of a level: choose from 32, 16, 8"),
        ({"head_channels": 48}, "head_channels 48 does not divide"),
        ({"multipliers": ()}, "multipliers must be one or more numbers"),
        ({"res_blocks": 0}, "res_blocks"),
    ],
)
def test_impossible_networks_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        AdmUNet(**(TINY | change))
