"""Published checkpoints: size and head are read off the keys, and no weight stays random."""

import pytest
import torch

from synfiqa.actors.nets.fiqa.detect import detect_fiqa
from synfiqa.actors.nets.fiqa.table import TRAINABLE
from synfiqa.schemas.errors import UserError
from tests.actors.nets.fiqa.tiny import tiny


def shapes_of(network) -> dict[str, tuple[int, ...]]:
    return {key: tuple(value.shape) for key, value in network.state_dict().items()}


@pytest.mark.parametrize("depth", [18, 34, 50, 100])
@pytest.mark.parametrize("head", ["linear", "label"])
def test_blocks_give_the_depth_and_keys_the_head(depth, head):
    with torch.device("meta"):
        network = TRAINABLE[f"iresnet{depth}"].build(head=head)
    assert detect_fiqa(shapes_of(network)) == ("fiqa-iresnet", {"depth": depth, "head": head})


@pytest.mark.parametrize("name", ["iresnet50", "vit-s", "compact-vit"])
def test_other_sizes_build_a_network_of_the_same_shapes(name):
    network = tiny(name)
    architecture, arguments = detect_fiqa(shapes_of(network))
    assert architecture == TRAINABLE[name].architecture
    assert shapes_of(TRAINABLE[name].network(**arguments)) == shapes_of(network)


def test_the_published_transformer_is_detected():
    with torch.device("meta"):
        network = TRAINABLE["vit-s"].build(mlp_ratio=5)
    architecture, arguments = detect_fiqa(shapes_of(network))
    assert architecture == "fiqa-vit"
    assert {**arguments, "drop_path": 0.1} == network.arguments


@pytest.mark.parametrize(
    ("name", "key"),
    [("iresnet50", "qs.weight"), ("iresnet50", "fc.weight"), ("vit-s", "qs_token"), ("vit-s", "head_qs.1.weight")],
)
def test_a_missing_head_is_refused_by_name(name, key):
    shapes = {known: shape for known, shape in shapes_of(tiny(name)).items() if known != key}
    with pytest.raises(UserError, match=f"lacks {key}, .*random"):
        detect_fiqa(shapes)


def test_other_networks_are_refused():
    with pytest.raises(UserError, match=r"no quality model .* by its keys \(a, b\)"):
        detect_fiqa({"a": (1,), "b": (2,)})
