import re

import pytest
import torch
from torch.nn import functional
from torchvision.models import resnet50
from torchvision.models._utils import IntermediateLayerGetter

from synfiqa.actors.face_analysis.retinaface import anchors
from synfiqa.actors.model_store.loading import load_network
from synfiqa.actors.model_store.rehearsal import random_state
from synfiqa.actors.nets.retinaface_r50 import RetinaFaceR50
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import ModelCard

CARD = ModelCard(
    name="retinaface",
    role="detector",
    architecture="retinaface-r50",
    source="random:0",
    input_size=250,
    channels="rgb",
    value_range=None,
    normalise="imagenet",
    output="a face",
    licence="MIT",
    commercial_use=True,
)
PUBLISHED_KEYS = re.compile(
    r"(body\.(conv1|bn1|layer[1-4]\.\d\.(conv[123]|bn[123]|downsample\.[01]))"
    r"|fpn\.(output[123]|merge[12])\.[01]"
    r"|ssh[123]\.(conv3X3|conv5X5_1|conv5X5_2|conv7X7_2|conv7x7_3)\.[01]"
    r"|(Class|Bbox|Landmark)Head\.[012]\.conv1x1)"
    r"\.(weight|bias|running_mean|running_var|num_batches_tracked)"
)


@pytest.fixture(scope="module")
def network():
    with torch.device("meta"):
        skeleton = RetinaFaceR50()
    network = skeleton.to_empty(device="cpu")
    network.load_state_dict(random_state(network, 0))
    return network.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def picture():
    return torch.randn(1, 3, 70, 45, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def shape_exact():
    # One number per key, in storage of one number: shape-exact, and small on disk.
    with torch.device("meta"):
        shapes = {key: (value.shape, value.dtype) for key, value in RetinaFaceR50().state_dict().items()}
    return {
        key: torch.full((1,), index, dtype=dtype).expand(shape) if shape else torch.tensor(index)
        for index, (key, (shape, dtype)) in enumerate(shapes.items())
    }


def test_has_the_tensors_of_the_published_checkpoint(network):
    state = network.state_dict()
    assert [key for key in state if not PUBLISHED_KEYS.fullmatch(key)] == []
    assert len(state) == 456
    assert sum(parameter.numel() for parameter in network.parameters()) == 27_293_600
    assert state["fpn.output3.0.weight"].shape == (256, 2048, 1, 1)
    assert state["ssh2.conv7x7_3.0.weight"].shape == (64, 64, 3, 3)
    assert [state[f"{head}Head.1.conv1x1.bias"].shape[0] for head in ("Class", "Bbox", "Landmark")] == [4, 8, 20]


def test_trunk_is_that_of_torchvision(network, picture):
    with torch.device("meta"):
        reference = resnet50(weights=None).eval()
    copied = reference.load_state_dict(network.body.state_dict(), strict=False, assign=True)
    assert copied.missing_keys == ["fc.weight", "fc.bias"]
    assert copied.unexpected_keys == []
    with torch.inference_mode():
        expected = IntermediateLayerGetter(reference, {"layer2": "a", "layer3": "b", "layer4": "c"})(picture)
        for found, stage in zip(network.body.stages(picture), expected.values(), strict=True):
            torch.testing.assert_close(found, stage, atol=1e-5, rtol=1e-5)


def test_pyramid_context_and_heads_are_wired_as_published(network, picture):
    state = network.state_dict()

    def block(x, key, relu=True):
        weight = state[f"{key}.0.weight"]
        x = functional.conv2d(x, weight, padding=weight.shape[-1] // 2)
        norm = [state[f"{key}.1.{name}"] for name in ("running_mean", "running_var", "weight", "bias")]
        x = functional.batch_norm(x, *norm)
        return functional.relu(x) if relu else x

    def up(x, like):
        return functional.interpolate(x, size=like.shape[2:], mode="nearest")

    def head(x, key, values):
        x = functional.conv2d(x, state[f"{key}.conv1x1.weight"], state[f"{key}.conv1x1.bias"])
        return x.permute(0, 2, 3, 1).reshape(len(x), -1, values)

    with torch.inference_mode():
        first, second, third = (
            block(stage, f"fpn.output{index + 1}") for index, stage in enumerate(network.body.stages(picture))
        )
        second = block(second + up(third, second), "fpn.merge2")
        first = block(first + up(second, first), "fpn.merge1")
        views = []
        for index, level in enumerate((first, second, third)):
            key = f"ssh{index + 1}"
            five = block(level, f"{key}.conv5X5_1")
            seven = block(block(five, f"{key}.conv7X7_2"), f"{key}.conv7x7_3", relu=False)
            parts = [block(level, f"{key}.conv3X3", relu=False), block(five, f"{key}.conv5X5_2", relu=False), seven]
            views.append(functional.relu(torch.cat(parts, dim=1)))
        for found, (name, values) in zip(
            network(picture), (("BboxHead", 4), ("ClassHead", 2), ("LandmarkHead", 10)), strict=True
        ):
            expected = torch.cat([head(view, f"{name}.{index}", values) for index, view in enumerate(views)], dim=1)
            torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("side", [(8, 8), (33, 1), (50, 37)])
def test_has_one_output_per_anchor_at_any_size(network, side):
    with torch.inference_mode():
        boxes, logits, landmarks = network(torch.zeros(2, 3, *side))
    count = len(anchors(*side))
    assert (boxes.shape, logits.shape, landmarks.shape) == ((2, count, 4), (2, count, 2), (2, count, 10))


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: {"state_dict": {f"model.{key}": value for key, value in state.items()}, "epoch": 3},
        lambda state: {f"module.{key}": value for key, value in state.items()},
    ],
    ids=["state_dict and model.", "module."],
)
def test_every_tensor_of_a_wrapped_checkpoint_finds_its_place(wrap, shape_exact, tmp_path):
    torch.save(wrap(shape_exact), tmp_path / "weights.pth")
    loaded = load_network(CARD, tmp_path / "weights.pth").state_dict()
    assert [key for index, key in enumerate(shape_exact) if not bool((loaded[key] == index).all())] == []


def test_keys_that_do_not_fit_are_listed(shape_exact, tmp_path):
    wrong = {key: value for key, value in shape_exact.items() if not key.startswith("ssh3.conv3X3.0")}
    wrong["fc.weight"] = torch.zeros(1)
    wrong["BboxHead.0.conv1x1.bias"] = torch.zeros(12)
    torch.save(wrong, tmp_path / "weights.pth")
    with pytest.raises(UserError) as caught:
        load_network(CARD, tmp_path / "weights.pth")
    assert "are missing (ssh3.conv3X3.0.weight)" in str(caught.value)
    assert "are unexpected (fc.weight)" in str(caught.value)
    assert "BboxHead.0.conv1x1.bias 12 instead of 8" in str(caught.value)
