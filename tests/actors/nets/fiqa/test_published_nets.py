"""Published quality networks: their exits, heads and trunks do what their papers state, and keys tell them apart."""

import pytest
import torch

from synfiqa.actors.model_store.rehearsal import random_state
from synfiqa.actors.nets.fiqa.detect import detect_fiqa
from synfiqa.actors.nets.fiqa.ediffiqa import EDifFiqa, PublishedMobileFaceNet
from synfiqa.actors.nets.fiqa.exit_vit import ExitViT
from synfiqa.actors.nets.fiqa.mobilefacenet import MobileFaceNet
from synfiqa.actors.nets.fiqa.sdd_fiqa import SddFiqa
from synfiqa.actors.nets.fiqa.vit import FiqaViT
from synfiqa.schemas.errors import UserError
from tests.actors.nets.fiqa.tiny import SMALL_VIT

X = torch.rand(2, 3, 112, 112, generator=torch.Generator().manual_seed(0)) * 2 - 1
SMALL = {"layers": [1, 2, 1, 1], "widths": [8, 16, 24, 32]}


def filled(network, seed=0):
    """Return the network with random weights, in evaluation mode."""
    network.load_state_dict(random_state(network, seed, gain=1.0))
    return network.eval()


def test_the_last_exit_is_the_score_of_the_whole_transformer():
    exits, whole = filled(ExitViT(**SMALL_VIT | {"depth": 3})), filled(FiqaViT(**SMALL_VIT | {"depth": 3}))
    with torch.inference_mode():
        scores = exits.exit_scores(X)
        assert scores.shape == (2, 3)
        torch.testing.assert_close(scores[:, -1], whole(X))
        torch.testing.assert_close(exits(X), scores.mean(dim=1))
        torch.testing.assert_close(exits.embed_and_score(X)[0], whole.embed_and_score(X)[0])
        # An exit is the score of a transformer that ends there.
        state = {
            key: value for key, value in exits.state_dict().items() if not key.startswith(("blocks.1", "blocks.2"))
        }
        short = FiqaViT(**SMALL_VIT | {"depth": 1}).eval()
        short.load_state_dict(state)
        torch.testing.assert_close(scores[:, 0], short(X))


def test_published_names_of_mobilefacenet_are_the_same_network():
    published, own = filled(PublishedMobileFaceNet(16)), MobileFaceNet(embedding_dim=16)
    # Both keep their tensors in the order of the layers; ours has a quality head at its end.
    values = list(published.state_dict().values())
    keys = [key for key in own.state_dict() if not key.startswith("qs.")]
    assert len(keys) == len(values)
    own.load_state_dict(dict(zip(keys, values, strict=True)), strict=False)
    with torch.inference_mode():
        embedding = torch.nn.functional.normalize(own.eval().embed_and_score(X)[0])
        torch.testing.assert_close(published(X), embedding, atol=1e-5, rtol=1e-4)


def test_the_head_of_ediffiqa_reads_the_embedding():
    network = filled(EDifFiqa(**SMALL, embedding_dim=12, hidden=8))
    with torch.inference_mode():
        embedding, scores = network.embed_and_score(X)
        torch.testing.assert_close(embedding, network.base_model(X))
        torch.testing.assert_close(scores, network.mlp(embedding)[:, 0])
    assert scores.shape == (2,)
    assert scores.std() > 0


def test_the_head_of_sdd_fiqa_weighs_every_value_of_the_last_map():
    network = filled(SddFiqa(**SMALL))
    with torch.inference_mode():
        features, scores = network.embed_and_score(X)
        assert features.shape == (2, 32 * 49)
        slopes, last = network.quality[1].weight, network.quality[3]
        wanted = torch.where(features > 0, features, features * slopes) @ last.weight[0] + last.bias
    torch.testing.assert_close(scores, wanted)


@pytest.mark.parametrize(
    ("architecture", "network"),
    [
        ("ediffiqa", EDifFiqa(**SMALL, embedding_dim=12, hidden=8)),
        ("ediffiqa", EDifFiqa("mobilefacenet", embedding_dim=12, hidden=8)),
        ("sdd-fiqa", SddFiqa(**SMALL)),
    ],
)
def test_keys_and_shapes_decide_network_and_size(architecture, network):
    shapes = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    found, arguments = detect_fiqa(shapes)
    assert found == architecture
    again = type(network)(**arguments)
    assert {key: tuple(value.shape) for key, value in again.state_dict().items()} == shapes
    head = "mlp.l2.weight" if architecture == "ediffiqa" else "quality.3.weight"
    with pytest.raises(UserError, match=f"lacks {head}, without which"):
        detect_fiqa({key: shape for key, shape in shapes.items() if key != head})


@pytest.mark.parametrize("made", [lambda: EDifFiqa("vit"), lambda: SddFiqa(layers=[1, 1])])
def test_sizes_that_are_none_are_refused(made):
    with pytest.raises(ValueError, match="must be"):
        made()
