"""LightQNet's frozen graphs become its torch network exactly; what is damaged or another network is refused."""

import hashlib

import numpy as np
import pytest
import torch

from synfiqa.actors.imaging.preprocess import network_input
from synfiqa.actors.model_store.checks.canary import canary_images
from synfiqa.actors.model_store.loading import load_network, play
from synfiqa.actors.model_store.rehearsal import random_state
from synfiqa.actors.nets.fiqa.lightqnet import LightQNet, rounded, same_padding
from synfiqa.actors.quality.trained.frozen_graph import is_frozen_graph, read_frozen_graph
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import ModelCard
from tests.actors.quality.trained.graph_file import constant, evaluate, lightqnet_graph, node

STATE = {key: value.numpy() for key, value in random_state(LightQNet(0.25), 3, gain=1.0).items()}


def card_of(path, **changes) -> ModelCard:
    fields = {
        "name": "light",
        "role": "quality",
        "architecture": "lightqnet",
        "arguments": {"multiplier": 0.25},
        "source": str(path),
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "input_size": 96,
        "channels": "bgr",
        "value_range": (-1, 127 / 128),
        "output": "score",
        "higher_is_better": True,
        "licence": "MIT",
        "commercial_use": False,
    }
    return ModelCard(**fields | changes)


@pytest.fixture
def graph(tmp_path):
    """The file of a graph with LightQNet's smallest network."""
    path = tmp_path / "lightqnet.pb"
    path.write_bytes(lightqnet_graph(STATE))
    return path


def test_a_graph_holds_the_weights_of_the_network(graph):
    found = load_network(card_of(graph), graph).state_dict()
    for key, value in STATE.items():
        if not key.endswith("num_batches_tracked"):
            np.testing.assert_array_equal(found[key].numpy(), value)


def test_scores_are_those_of_the_graph_evaluated_by_loops(graph):
    card, images = card_of(graph), canary_images(2)
    scores = play(card, graph).score(images)
    pixels = network_input(images, card).permute(0, 2, 3, 1).numpy()
    wanted = [evaluate(STATE, image) for image in pixels]
    assert np.ptp(wanted) > 1e-4
    np.testing.assert_allclose(scores, wanted, atol=1e-5)


def test_the_published_sizes_have_the_published_channels():
    assert [rounded(24 * share) for share in (1, 0.5, 0.25)] == [24, 16, 8]
    assert [rounded(40 * share) for share in (1, 0.5, 0.25)] == [40, 24, 16]
    counts = {share: sum(value.numel() for value in LightQNet(share).parameters()) for share in (1, 0.5, 0.25)}
    # Numbers in the constants of lightqnet-dm100.pb, -dm050.pb and -dm025.pb, without moving averages.
    assert counts == {1: 429_465, 0.5: 124_449, 0.25: 43_513}
    assert same_padding(96, 3, 1) == (1, 1)
    assert same_padding(96, 3, 2) == (0, 1)


def test_constants_that_no_weights_read_keep_their_axes_and_integers_are_left_out(tmp_path):
    path = tmp_path / "mine.pb"
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    path.write_bytes(
        constant("plain", values)
        + constant("shape", np.array([1, 2], np.int32))
        + constant("same", np.full((2, 2), 0.5, np.float32), listed=True)
    )
    found = read_frozen_graph(path)
    assert found.keys() == {"plain", "same"}
    np.testing.assert_array_equal(found["plain"].numpy(), values)
    assert found["same"].tolist() == [[0.5, 0.5], [0.5, 0.5]]


@pytest.mark.parametrize("kept", [0.999, 0.5, 0.001])
def test_a_graph_that_is_cut_is_refused(graph, kept):
    content = graph.read_bytes()
    graph.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(UserError, match=r"lightqnet.pb is no whole frozen TensorFlow graph .*: fetch it again"):
        read_frozen_graph(graph)


def test_another_graph_or_size_is_refused_by_name(graph, tmp_path):
    with pytest.raises(UserError, match=r"does not fit its architecture: .*wrong shapes .*Correct architecture"):
        load_network(card_of(graph, arguments={"multiplier": 0.5}), graph)
    other = tmp_path / "other.pb"
    other.write_bytes(node("input", "Placeholder") + constant("conv1/weights", np.ones((3, 3), np.float32)))
    with pytest.raises(UserError, match=r"keys are missing \(stem.conv.weight, .*Correct architecture"):
        load_network(card_of(other), other)


def test_a_graph_is_for_its_own_architecture_alone(graph):
    wrong = card_of(graph, architecture="fiqa-iresnet", arguments={"layers": [1, 1, 1, 1]}, input_size=112)
    with pytest.raises(UserError, match=r"lightqnet.pb is no safetensors or torch file, .*correct architecture"):
        load_network(wrong, graph)
    graph.write_bytes(b"hello")
    with pytest.raises(UserError, match="or fetch the file again"):
        load_network(card_of(graph), graph)


def test_other_formats_are_read_as_ever(tmp_path):
    path = tmp_path / "weights.pth"
    torch.save(dict(LightQNet(0.25).state_dict()), path)
    assert not is_frozen_graph(path.read_bytes())
    assert "stem.conv.weight" in read_frozen_graph(path)
    with pytest.raises(UserError, match="cannot be read"):
        read_frozen_graph(tmp_path / "none.pb")
