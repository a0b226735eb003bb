import re

import pytest
import torch
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from synfiqa.actors.model_store.loading import load_network
from synfiqa.actors.model_store.rehearsal import random_state
from synfiqa.actors.nets.adaface import AdaFaceIR
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import ModelCard

CARD = ModelCard(
    name="adaface-ir18",
    role="embedder",
    architecture="adaface-ir",
    arguments={"depth": 18},
    source="random:1",
    input_size=112,
    channels="bgr",
    value_range=(-1.0, 1.0),
    output="unit vector (512,)",
    licence="MIT; WebFace4M is for research only",
    commercial_use=False,
)
NORM = r"(weight|bias|running_mean|running_var|num_batches_tracked)"
GRAMMAR = rf"""
    input_layer\.(0\.weight | 1\.{NORM} | 2\.weight)
  | body\.\d+\.res_layer\.([14]\.weight | [025]\.{NORM} | 3\.weight)
  | body\.\d+\.shortcut_layer\.(0\.weight | 1\.{NORM})
  | output_layer\.(0\.{NORM} | 3\.(weight|bias) | 4\.(running_mean|running_var|num_batches_tracked))
"""


def on_meta(depth):
    with torch.device("meta"):
        return AdaFaceIR(depth).eval()


@pytest.fixture(scope="module")
def state():
    return random_state(on_meta(18), seed=3)


@pytest.fixture(scope="module")
def faces():
    return torch.rand(1, 3, 112, 112, generator=torch.Generator().manual_seed(0)) * 2 - 1


def slow_forward(state, x, blocks):
    """The published network written down from its tensors alone."""

    def norm(x, name):
        scale, shift = state.get(f"{name}.weight"), state.get(f"{name}.bias")
        return functional.batch_norm(x, state[f"{name}.running_mean"], state[f"{name}.running_var"], scale, shift)

    x = norm(functional.conv2d(x, state["input_layer.0.weight"], padding=1), "input_layer.1")
    x = functional.prelu(x, state["input_layer.2.weight"])
    for number, stride in enumerate(blocks):
        block = f"body.{number}"
        y = norm(x, f"{block}.res_layer.0")
        y = norm(functional.conv2d(y, state[f"{block}.res_layer.1.weight"], padding=1), f"{block}.res_layer.2")
        y = functional.prelu(y, state[f"{block}.res_layer.3.weight"])
        y = functional.conv2d(y, state[f"{block}.res_layer.4.weight"], padding=1, stride=stride)
        y = norm(y, f"{block}.res_layer.5")
        x = x[:, :, ::stride, ::stride]
        if f"{block}.shortcut_layer.0.weight" in state:
            x = norm(functional.conv2d(x, state[f"{block}.shortcut_layer.0.weight"]), f"{block}.shortcut_layer.1")
        x = x + y
    x = norm(x, "output_layer.0").flatten(1)
    return norm(functional.linear(x, state["output_layer.3.weight"], state["output_layer.3.bias"]), "output_layer.4")


@pytest.mark.parametrize(
    ("depth", "parameters", "entries"), [(18, 24_020_352, 179), (50, 43_585_600, 467), (101, 65_150_912, 917)]
)
def test_sizes_are_the_published_ones(depth, parameters, entries):
    network = on_meta(depth)
    assert sum(tensor.numel() for tensor in network.parameters()) == parameters
    assert len(network.state_dict()) == entries


def test_ir18_costs_5_19_gflop():
    with FlopCounterMode(display=False) as counter:
        embedding = on_meta(18)(torch.empty(1, 3, 112, 112, device="meta"))
    assert embedding.shape == (1, 512)
    assert counter.get_total_flops() / 1e9 == pytest.approx(5.19, abs=0.01)


def test_keys_follow_the_published_grammar_and_only_wider_blocks_have_weighted_shortcuts(state):
    assert [key for key in state if not re.fullmatch(GRAMMAR, key, re.VERBOSE)] == []
    assert {key.split(".")[1] for key in state if "shortcut_layer" in key} == {"2", "4", "6"}


def test_forward_is_the_published_network_less_its_normalisation(state, faces):
    network = on_meta(18).to_empty(device="cpu")
    network.load_state_dict(state)
    with torch.inference_mode():
        found = network(faces)
    assert not torch.allclose(found.norm(dim=1), torch.ones(1), atol=0.1)
    torch.testing.assert_close(found, slow_forward(state, faces, [2, 1, 2, 1, 2, 1, 2, 1]), atol=1e-5, rtol=1e-5)


def test_lightning_checkpoint_loads_without_its_training_head(state, faces, tmp_path):
    path = tmp_path / "adaface_ir18_webface4m.ckpt"
    wrapped = {"epoch": 25, "state_dict": {f"model.{key}": value for key, value in state.items()}}
    wrapped["state_dict"] |= {"head.kernel": torch.zeros(512, 10), "head.batch_mean": torch.zeros(1)}
    torch.save(wrapped, path)
    loaded = load_network(CARD, path).state_dict()
    assert loaded.keys() == state.keys()
    assert all(torch.equal(loaded[key], state[key]) for key in state)


def test_checkpoint_of_another_depth_is_refused_with_its_keys(state, tmp_path):
    path = tmp_path / "ir18.pt"
    torch.save(state, path)
    with pytest.raises(UserError, match=r"306 keys are missing .* 18 are unexpected .* 72 have wrong shapes"):
        load_network(CARD.model_copy(update={"arguments": {"depth": 50}}), path)
    with pytest.raises(UserError, match="depth must be one of 18, 50, 101, not 34"):
        load_network(CARD.model_copy(update={"arguments": {"depth": 34}}), path)
