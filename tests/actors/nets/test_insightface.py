import re

import pytest
import torch
from torch.nn import functional

from synfiqa.actors.model_store.loading import load_network
from synfiqa.actors.model_store.rehearsal import random_state
from synfiqa.actors.nets.insightface import IResNet
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import ModelCard, StateRules

LAYERS = (2, 1, 1, 1)
CARD = ModelCard(
    name="arcface",
    role="embedder",
    architecture="insightface-iresnet",
    arguments={"layers": LAYERS},
    source="random:1",
    input_size=112,
    channels="rgb",
    value_range=(-1.0, 1.0),
    output="unit vector (512,)",
    licence="MIT code; data for non-commercial research",
    commercial_use=False,
)
NORM = r"(weight|bias|running_mean|running_var|num_batches_tracked)"
GRAMMAR = rf"""
    (conv1|prelu)\.weight | (bn1|bn2|features)\.{NORM} | fc\.(weight|bias)
  | layer[1-4]\.\d+\.(bn[123]\.{NORM} | (conv[12]|prelu)\.weight)
  | layer[1-4]\.0\.downsample\.(0\.weight | 1\.{NORM})
"""


def on_meta(**arguments):
    with torch.device("meta"):
        return IResNet(**arguments).eval()


@pytest.fixture(scope="module")
def state():
    return random_state(on_meta(layers=LAYERS), seed=5)


@pytest.fixture(scope="module")
def faces():
    return torch.rand(1, 3, 112, 112, generator=torch.Generator().manual_seed(0)) * 2 - 1


def slow_forward(state, x, layers, eps=1e-5):
    """The published network written down from its tensors alone."""

    def norm(x, name):
        parts = (state[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias"))
        return functional.batch_norm(x, *parts, eps=eps)

    x = functional.prelu(norm(functional.conv2d(x, state["conv1.weight"], padding=1), "bn1"), state["prelu.weight"])
    for stage, count in enumerate(layers, start=1):
        for index in range(count):
            block = f"layer{stage}.{index}"
            stride = 1 if index else 2
            y = functional.conv2d(norm(x, f"{block}.bn1"), state[f"{block}.conv1.weight"], padding=1)
            y = functional.prelu(norm(y, f"{block}.bn2"), state[f"{block}.prelu.weight"])
            y = norm(functional.conv2d(y, state[f"{block}.conv2.weight"], stride=stride, padding=1), f"{block}.bn3")
            if f"{block}.se_block.fc1.weight" in state:
                squeezed = functional.conv2d(y.mean(dim=(2, 3), keepdim=True), state[f"{block}.se_block.fc1.weight"])
                y = y * functional.conv2d(squeezed.relu(), state[f"{block}.se_block.fc2.weight"]).sigmoid()
            if not index:
                x = functional.conv2d(x, state[f"{block}.downsample.0.weight"], stride=2)
                x = norm(x, f"{block}.downsample.1")
            x = x + y
    return norm(functional.linear(norm(x, "bn2").flatten(1), state["fc.weight"], state["fc.bias"]), "features")


@pytest.mark.parametrize(("depth", "parameters", "entries"), [(50, 43_591_361, 477), (100, 65_156_673, 927)])
def test_sizes_are_the_published_ones_less_the_quality_head(depth, parameters, entries):
    network = on_meta(depth=depth)
    assert sum(tensor.numel() for tensor in network.parameters()) == parameters - 513
    assert len(network.state_dict()) == entries - 2


@pytest.mark.parametrize(("depth", "blocks"), [(18, 8), (34, 16), (50, 24), (100, 49)])
def test_depth_names_the_number_of_blocks_and_keys_follow_the_grammar(depth, blocks):
    keys = on_meta(depth=depth).state_dict().keys()
    assert len({key.rsplit(".", 2)[0] for key in keys if key.startswith("layer") and ".conv1." in key}) == blocks
    assert [key for key in keys if not re.fullmatch(GRAMMAR, key, re.VERBOSE)] == []


@pytest.mark.parametrize("se", [False, True])
def test_forward_is_the_published_network(faces, se):
    network = on_meta(layers=LAYERS, se=se)
    state = random_state(network, seed=5)
    assert se == any("se_block" in key for key in state)
    network = network.to_empty(device="cpu")
    network.load_state_dict(state)
    with torch.inference_mode():
        found = network(faces)
    torch.testing.assert_close(found, slow_forward(state, faces, LAYERS), atol=1e-5, rtol=1e-5)


def test_checkpoint_with_a_quality_head_loads_into_the_trunk(state, tmp_path):
    path = tmp_path / "32572backbone.pth"
    head = {"qs.weight": torch.zeros(1, 512), "qs.bias": torch.zeros(1)}
    torch.save({f"module.{key}": value for key, value in (state | head).items()}, path)
    loaded = load_network(CARD, path).state_dict()
    assert all(torch.equal(loaded[key], state[key]) for key in state)


def test_magface_checkpoint_loads_by_rules_on_its_card(state, faces, tmp_path):
    path = tmp_path / "magface_epoch_00025.pth"
    wrapped = {f"features.module.{key}": value for key, value in state.items()}
    torch.save({"epoch": 25, "state_dict": {**wrapped, "fc.weight": torch.zeros(512, 10)}}, path)
    with pytest.raises(UserError, match=r"features\.module"):
        load_network(CARD, path)
    card = CARD.model_copy(
        update={
            "source": "magface_epoch_00025.pth",
            "arguments": {"layers": LAYERS, "eps": 2e-5},
            "state": StateRules(unwrap=("state_dict",), keep="features.module."),
        }
    )
    with torch.inference_mode():
        found = load_network(card, path)(faces)
    torch.testing.assert_close(found, slow_forward(state, faces, LAYERS, eps=2e-5), atol=1e-5, rtol=1e-5)
    assert (found - slow_forward(state, faces, LAYERS)).abs().max() > 1e-5


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [({"depth": 20}, "depth must be one of"), ({"layers": (1, 2, 3)}, "four block counts"), ({"width": 3}, "width")],
)
def test_impossible_arguments_are_refused(arguments, complaint, tmp_path):
    with pytest.raises(UserError, match=complaint):
        load_network(CARD.model_copy(update={"arguments": arguments}), tmp_path / "none.pt")
