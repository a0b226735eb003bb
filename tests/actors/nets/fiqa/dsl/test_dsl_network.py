"""DSL-FIQA's network: the published shapes, what its scores depend on, and what a frozen encoder keeps."""

import pytest
import torch

from synfiqa.actors.nets.fiqa.dsl.dsl_network import COMPACT, DslNetwork
from tests.actors.nets.fiqa.dsl.tiny_dsl import SIDE, tiny


def points(x, y):
    return torch.tensor([x, y]).expand(1, 68, 2).float()


@pytest.fixture(scope="module")
def crops():
    return torch.rand(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1)) * 2 - 1


def test_the_full_network_has_the_published_shapes():
    with torch.device("meta"):
        shapes = {key: tuple(value.shape) for key, value in DslNetwork().state_dict().items()}
    published = {
        "backbone.vit.pos_embed": (1, 577, 768),
        "backbone.vit.blocks.9.mlp.fc1.weight": (3072, 768),
        "tablock1.1.c_q.weight": (576, 576),
        "conv1.weight": (768, 3072, 1, 1),
        "swintransformer1.layers.1.blocks.1.attn.relative_position_bias_table": (49, 4),
        "swintransformer1.layers.0.blocks.0.mlp.fc1.weight": (768, 768),
        "swintransformer1.layers.0.conv.weight": (768, 768, 3, 3),
        "conv2.weight": (384, 768, 1, 1),
        "swintransformer2.layers.0.blocks.0.mlp.fc1.weight": (768, 384),
        "conv_decoder.weight": (256, 384, 1, 1),
        "decoder.2.attn.kv.weight": (512, 256),
        "decoder.0.mlp.dwconv.dwconv.weight": (1024, 1, 3, 3),
        "landmark_branch.embed_mlp.0.weight": (10500, 10500),
        "landmark_branch.embed_mlp.3.weight": (576, 10500),
        "fc_score.0.weight": (257, 257),
        "fc_weight.3.weight": (1, 257),
        "encoder.E.15.weight": (256, 256, 3, 3),
        "encoder.mlp.2.weight": (256, 256),
    }
    assert {key: shapes.get(key) for key in published} == published
    assert "backbone.vit.blocks.10.norm1.weight" not in shapes


def test_the_landmark_mlp_alone_is_half_of_the_full_network():
    with torch.device("meta"):
        whole = DslNetwork()
    count = sum(value.numel() for value in whole.landmark_branch.parameters())
    assert count == pytest.approx(116e6, rel=0.01)


def test_the_compact_network_is_small():
    with torch.device("meta"):
        assert sum(value.numel() for value in DslNetwork(**COMPACT).parameters()) < 8e6


def test_its_arguments_build_it_again(crops):
    torch.manual_seed(0)
    network = tiny().eval()
    again = DslNetwork(**network.arguments).eval()
    again.load_state_dict(network.state_dict())
    assert torch.equal(network(crops), again(crops))


def test_scores_depend_on_landmarks_and_degradation_tokens_alone_where_they_are_built_in(crops):
    torch.manual_seed(0)
    whole = tiny().eval()
    assert not torch.equal(whole(crops, points(9, 9).expand(2, -1, -1)), whole(crops))
    blind = tiny(landmarks="none", queries="image").eval()
    assert torch.equal(blind(crops, points(9, 9).expand(2, -1, -1)), blind(crops))
    before = blind(crops)
    with torch.no_grad():
        for network in (blind, whole):
            network.encoder.E[15].weight.mul_(3)
    assert torch.equal(blind(crops), before)


def test_degradation_tokens_change_the_score(crops):
    torch.manual_seed(0)
    network = tiny().eval()
    before = network(crops)
    with torch.no_grad():
        network.encoder.E[15].weight.mul_(3)
    assert not torch.equal(network(crops), before)


def test_a_crop_has_its_score_alone_and_among_others(crops):
    torch.manual_seed(0)
    network = tiny().eval()
    assert torch.allclose(network(crops)[1:], network(crops[1:]), atol=1e-6)


def test_the_score_is_the_mean_of_token_scores_by_weight(crops):
    torch.manual_seed(0)
    network = tiny(landmarks="none").eval()
    with torch.no_grad():
        network.fc_score[-2].weight.zero_()
        network.fc_score[-2].bias.fill_(0.7)
    assert torch.allclose(network(crops), torch.tensor(0.7))


def test_a_frozen_encoder_keeps_weights_and_statistics_in_training(crops):
    torch.manual_seed(0)
    network = tiny().train()
    before = {key: value.clone() for key, value in network.encoder.state_dict().items()}
    network(crops).sum().backward()
    assert all(torch.equal(value, before[key]) for key, value in network.encoder.state_dict().items())
    assert all(value.grad is None for value in network.encoder.parameters())
    assert network.conv1.weight.grad is not None


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"side": 72}, "multiple of 64"),
        ({"width": 12}, "multiple of 8"),
        ({"depth": 3}, "at least 4"),
        ({"queries": "none"}, "degradation or image"),
        ({"landmarks": "boxes"}, "indices, positions or none"),
        ({"encoder_widths": [8, 8, 12]}, "multiple of 8"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(change, complaint):
    with pytest.raises(ValueError, match=complaint):
        tiny(**change)
