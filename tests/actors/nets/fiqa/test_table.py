"""Trainable networks: one contract, the published sizes and keys, the input that each takes."""

import json
import re

import pytest
import torch

from synfiqa.actors.model_store.architectures.quality import NETWORKS
from synfiqa.actors.model_store.architectures.table import load
from synfiqa.actors.model_store.rehearsal import random_state
from synfiqa.actors.nets.fiqa.contract import FiqaNetwork
from synfiqa.actors.nets.fiqa.table import TRAINABLE
from synfiqa.actors.nets.insightface import IResNet
from synfiqa.actors.nets.quality_net import QualityNet
from tests.actors.nets.fiqa.tiny import TINY, tiny

NORM = r"(weight|bias|running_mean|running_var|num_batches_tracked)"


def on_meta(name: str, **arguments) -> FiqaNetwork:
    with torch.device("meta"):
        return TRAINABLE[name].build(**arguments)


def size(network) -> tuple[int, int]:
    return sum(tensor.numel() for tensor in network.parameters()), len(network.state_dict())


def pixels_of(name: str, count: int = 3) -> torch.Tensor:
    side = TINY[name].get("side", 112)
    shape = (count, side, side) if TRAINABLE[name].channels == "gray" else (count, 3, side, side)
    return torch.rand(shape, generator=torch.Generator().manual_seed(1)) * 255


@pytest.mark.parametrize(
    ("name", "arguments", "parameters", "entries"),
    [
        ("iresnet50", {}, 43_591_361, 477),
        ("iresnet100", {}, 65_156_673, 927),
        ("iresnet50", {"head": "label"}, 43_789_249, 491),
    ],
)
def test_sizes_are_those_of_cr_fiqa_and_mr_fiqa(name, arguments, parameters, entries):
    assert size(on_meta(name, **arguments)) == (parameters, entries)


def test_heads_have_the_published_keys():
    def head(keys):
        return {key for key in keys if key.startswith("qs")}

    assert head(on_meta("iresnet50").state_dict()) == {"qs.weight", "qs.bias"}
    label = head(on_meta("iresnet50", head="label").state_dict())
    assert {key for key in label if not re.fullmatch(rf"qs\.(([269])\.(weight|bias)|[37]\.{NORM})", key)} == set()
    assert len(label) == 16


def test_the_vision_transformer_is_that_of_vit_fiqa():
    network = on_meta("vit-s")
    shapes = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    assert shapes["pos_embed"] == (1, 197, 512)
    assert shapes["patch_embed.proj.weight"] == (512, 3, 8, 8)
    assert shapes["feature.0.weight"] == (512, 196 * 512)
    assert shapes["head_qs.1.weight"] == (1, 512)
    assert "head_qs.1.bias" not in shapes
    assert len(network.blocks) == 12
    assert network.head_qs[0].eps == 2e-5


@pytest.mark.parametrize("name", ["compact", "compact-vit", "mobilefacenet"])
def test_networks_for_edge_devices_have_at_most_two_million_parameters(name):
    parameters, _ = size(on_meta(name))
    assert parameters <= 2_000_000
    if name == "mobilefacenet":
        assert 0.95e6 < parameters < 1.05e6, "as published"


@pytest.mark.parametrize("name", list(TRAINABLE))
def test_every_network_scores_and_embeds_in_one_pass(name):
    network, row = tiny(name), TRAINABLE[name]
    inputs = row.normalise(pixels_of(name))
    with torch.inference_mode():
        embedding, scores = network.embed_and_score(inputs)
        alone = network(inputs)
    assert embedding.shape == (3, network.embedding_dim)
    assert scores.shape == (3,)
    assert (embedding.dtype, scores.dtype) == (torch.float32, torch.float32)
    assert scores.std() > 0
    torch.testing.assert_close(alone, scores, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", list(TRAINABLE))
def test_arguments_build_the_network_again(name):
    network = tiny(name)
    again = NETWORKS[TRAINABLE[name].architecture]
    rebuilt = load(again.network)(**json.loads(json.dumps(network.arguments)))
    assert type(rebuilt) is type(network)
    assert rebuilt.arguments == network.arguments
    assert {key: value.shape for key, value in rebuilt.state_dict().items()} == {
        key: value.shape for key, value in network.state_dict().items()
    }


@pytest.mark.parametrize("name", ["quality-net", "compact", "compact-vit", "mobilefacenet", "iresnet50"])
def test_both_outputs_train_the_trunk(name):
    network = TRAINABLE[name].build(**TINY[name]).train()
    inputs = TRAINABLE[name].normalise(pixels_of(name, 4))
    embedding, scores = network.embed_and_score(inputs)
    first = next(network.parameters())
    for loss in (embedding.square().sum(), scores.sum()):
        (gradient,) = torch.autograd.grad(loss, first, retain_graph=True, allow_unused=True)
        # The quality token is the transformer's first parameter; the embedding reads it through attention.
        assert gradient is not None
        assert torch.isfinite(gradient).all()
        assert gradient.abs().max() > 0


def test_scores_keep_full_precision_under_autocast():
    network, inputs = tiny("compact"), TRAINABLE["compact"].normalise(pixels_of("compact"))
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        embedding, scores = network.embed_and_score(inputs)
    assert (embedding.dtype, scores.dtype) == (torch.float32, torch.float32)


def test_the_label_head_reads_the_feature_map_and_the_linear_one_the_embedding():
    label, linear = tiny("iresnet50", head="label"), tiny("iresnet50")
    inputs = TRAINABLE["iresnet50"].normalise(pixels_of("iresnet50"))
    with torch.inference_mode():
        before = label(inputs), linear(inputs)
        for network in (label, linear):
            network.features.bias.add_(1)
        after = label(inputs), linear(inputs)
        torch.testing.assert_close(label.embed_and_score(inputs)[1], after[0])
    torch.testing.assert_close(before[0], after[0])
    assert (before[1] - after[1]).abs().min() > 1e-3


def test_the_embedding_is_that_of_the_recognition_network():
    network = tiny("iresnet50")
    trunk = IResNet(layers=(1, 2, 1, 1), widths=(8, 8, 8, 16), embedding_dim=12)
    trunk.load_state_dict({key: value for key, value in network.state_dict().items() if not key.startswith("qs")})
    inputs = TRAINABLE["iresnet50"].normalise(pixels_of("iresnet50"))
    with torch.inference_mode():
        torch.testing.assert_close(network.embed_and_score(inputs)[0], trunk.eval()(inputs))


def test_pixels_become_the_input_of_the_card():
    black, white = torch.zeros(1, 3, 112, 112), torch.full((1, 3, 112, 112), 255.0)
    row = TRAINABLE["compact"]
    assert (float(row.normalise(black).max()), float(row.normalise(white).min())) == (-1.0, 1.0)
    assert row.card_fields()["normalise"] == "range"
    gray = torch.rand(2, 112, 112) * 255
    assert TRAINABLE["quality-net"].normalise(gray) is gray
    assert TRAINABLE["quality-net"].card_fields()["normalise"] == "per-image"


def test_the_grey_network_keeps_its_keys():
    network = QualityNet((8, 8, 8, 8), (1, 1, 1, 1))
    tops = {key.split(".")[0] for key in network.state_dict()}
    assert tops == {"stem", "stages", "pool", "head", "score"}
    assert network.embedding_dim == 8


@pytest.mark.parametrize(
    ("name", "arguments", "complaint"),
    [
        ("iresnet50", {"head": "cubic"}, "head must be linear or label"),
        ("iresnet50", {"depth": 20}, "depth must be one of"),
        ("iresnet50", {"widths": [8, 8]}, "four channel counts"),
        ("vit-s", {"heads": 7}, "heads that divide"),
        ("vit-s", {"pooling": "max"}, "all or mean"),
    ],
)
def test_impossible_arguments_are_refused(name, arguments, complaint):
    with pytest.raises(ValueError, match=complaint):
        on_meta(name, **arguments)


def test_stochastic_depth_is_off_in_evaluation():
    network = TRAINABLE["vit-s"].build(**TINY["vit-s"], drop_path=0.5)
    network.load_state_dict(random_state(network, 0, gain=1.0))
    inputs = TRAINABLE["vit-s"].normalise(pixels_of("vit-s", 1)).expand(16, -1, -1, -1)
    torch.manual_seed(0)
    with torch.no_grad():
        trained, evaluated = network.train()._tokens(inputs), network.eval()._tokens(inputs)
    assert torch.allclose(evaluated, evaluated[:1].expand_as(evaluated), atol=1e-5)
    assert not torch.allclose(trained, trained[:1].expand_as(trained), atol=1e-3)


def test_standardised_faces_score_alike_under_any_light_of_one_colour():
    network, plain = tiny("compact-standard"), tiny("compact")
    pixels = pixels_of("compact-standard") * 0.5
    darker, tinted = 0.5 * pixels + 20, pixels * torch.tensor([1.2, 1.0, 0.8]).view(1, 3, 1, 1)
    scores = [network(TRAINABLE["compact"].normalise(own)) for own in (pixels, darker, tinted)]
    assert torch.allclose(scores[0], scores[1], atol=1e-4)
    assert not torch.allclose(scores[0], scores[2], atol=1e-3)
    assert network.arguments["standardised"]
    assert "standardised" not in plain.arguments, "cards of before stay as they were"


def test_the_network_for_photographs_has_less_than_8_mb():
    parameters, _ = size(on_meta("compact-standard"))
    assert 4 * parameters < 8e6
