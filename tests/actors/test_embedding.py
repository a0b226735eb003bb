import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from actors.embedding import NetworkEmbedder
from actors.model_store.loading import build_network, load_network
from actors.model_store.random_weights import random_state
from actors.network import Running
from actors.preprocess import network_input
from cluster.errors import UserError
from schemas.model_card import ModelCard

SMALL = ModelCard(
    name="small",
    role="embedder",
    architecture="small-iresnet",
    arguments={"widths": [16, 16, 24, 32], "blocks": [1, 1, 1, 1], "embedding_dim": 24},
    source="random:1",
    input_size=112,
    channels="gray",
    value_range=None,
    normalise="per-image",
    output="unit vector (24,)",
    licence="Apache-2.0",
    commercial_use=True,
)
COLOUR = SMALL.model_copy(
    update={
        "name": "colour",
        "architecture": "insightface-iresnet",
        "arguments": {"layers": [1, 1, 1, 1]},
        "channels": "bgr",
        "value_range": (-1.0, 1.0),
        "normalise": "range",
    }
)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Weights file by card name."""
    folder = tmp_path_factory.mktemp("weights")
    for card in (SMALL, COLOUR):
        save_file(random_state(build_network(card), seed=1), folder / f"{card.name}.safetensors")
    return folder


@pytest.fixture(scope="module")
def faces():
    """Smooth random pictures, as unlike each other as faces of a data set."""
    rng = np.random.default_rng(0)
    coarse = torch.from_numpy(rng.uniform(0, 255, (5, 3, 9, 9)))
    smooth = torch.nn.functional.interpolate(coarse, (112, 112), mode="bilinear").permute(0, 2, 3, 1)
    return smooth.round().to(torch.uint8).numpy()


def embedder(card, weights, **running):
    return NetworkEmbedder(card, weights / f"{card.name}.safetensors", Running(**running))


@pytest.fixture(scope="module")
def small(weights):
    return embedder(SMALL, weights, micro_batch=4)


def test_embeddings_are_unit_vectors_of_the_networks_output(small, weights, faces):
    vectors, norms = small.embed_with_norms(faces)
    assert (vectors.dtype, norms.dtype) == (np.float32, np.float32)
    with torch.inference_mode():
        raw = load_network(SMALL, weights / "small.safetensors")(network_input(faces, SMALL)).numpy()
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(5), abs=1e-6)
    assert norms == pytest.approx(np.linalg.norm(raw, axis=1), rel=1e-5)
    assert np.abs(vectors * norms[:, None] - raw).max() < 1e-5
    assert np.array_equal(small.embed(faces), vectors)
    assert small.name == "small"


def test_result_does_not_depend_on_the_callers_batches(small, faces):
    vectors, norms = small.embed_with_norms(faces)
    for row in range(len(faces)):
        alone = small.embed_with_norms(faces[row : row + 1])
        assert np.array_equal(alone[0][0], vectors[row])
        assert alone[1][0] == norms[row]


def test_no_faces_give_no_vectors_of_the_right_length(small, faces):
    vectors, norms = small.embed_with_norms(faces[:0])
    assert (vectors.shape, norms.shape) == ((0, 24), (0,))


@pytest.mark.parametrize(
    "images", [np.zeros((1, 96, 96, 3), np.uint8), np.zeros((1, 112, 112), np.uint8), np.zeros((112, 112, 3), np.uint8)]
)
def test_only_aligned_faces_are_taken(small, images):
    with pytest.raises(ValueError, match="aligned faces"):
        small.embed(images)


def test_floats_are_refused(small):
    with pytest.raises(ValueError, match="uint8 RGB"):
        small.embed(np.zeros((1, 112, 112, 3), np.float32))


@pytest.mark.parametrize("change", [{"channels": "rgb"}, {"value_range": (0.0, 1.0)}, {"normalise": "imagenet"}])
def test_input_contract_of_the_card_decides_the_embedding(weights, faces, change):
    right = embedder(COLOUR, weights, micro_batch=2).embed(faces[:2])
    wrong = embedder(COLOUR.model_copy(update=change), weights, micro_batch=2).embed(faces[:2])
    assert (right * wrong).sum(axis=1).max() < 0.99


@pytest.mark.parametrize(("precision", "tolerance"), [("bfloat16", 2e-2), ("float16", 2e-3)])
def test_half_precision_moves_embeddings_little_and_gives_float32(weights, small, faces, precision, tolerance):
    vectors, norms = embedder(SMALL, weights, micro_batch=4, precision=precision).embed_with_norms(faces)
    expected, lengths = small.embed_with_norms(faces)
    assert vectors.dtype == np.float32
    assert 0 < np.abs(vectors - expected).max() < tolerance
    assert norms == pytest.approx(lengths, rel=tolerance)


def test_weights_of_another_network_are_refused(weights):
    with pytest.raises(UserError, match="does not fit its architecture"):
        NetworkEmbedder(SMALL, weights / "colour.safetensors", Running())
