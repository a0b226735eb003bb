import numpy as np
import pytest
import torch
from facenet_pytorch import InceptionResnetV1
from torch.utils.flop_counter import FlopCounterMode

from synfiqa.actors.imaging.preprocess import network_input
from synfiqa.actors.model_store.execution import Execution
from synfiqa.actors.model_store.rehearsal import random_state
from synfiqa.actors.nets.facenet import facenet
from synfiqa.actors.recognition.network_embedder import NetworkEmbedder
from synfiqa.schemas.model_card import ModelCard

CARD = ModelCard(
    name="facenet-vggface2",
    role="embedder",
    architecture="facenet",
    source="random:1",
    input_size=160,
    channels="rgb",
    value_range=(-127.5 / 128, 127.5 / 128),
    output="unit vector (512,)",
    licence="MIT code; VGGFace2 is for research only",
    commercial_use=False,
)


@pytest.fixture(scope="module")
def published():
    """The package's own network with random weights and the classifier of the published file."""
    with torch.device("meta"):
        whole = InceptionResnetV1(classify=True, num_classes=8631)
    # Twice the usual scale of random weights: the output of so many layers would otherwise hardly depend on the image.
    state = {key: 2 * value if value.ndim > 1 else value for key, value in random_state(whole, seed=7).items()}
    network = InceptionResnetV1().eval()
    network.load_state_dict({key: value for key, value in state.items() if not key.startswith("logits.")})
    return network, state


@pytest.fixture(scope="module")
def embedder(published, tmp_path_factory):
    path = tmp_path_factory.mktemp("facenet") / "20180402-114759-vggface2.pt"
    torch.save(published[1], path)
    return NetworkEmbedder(CARD, path, Execution(micro_batch=2))


@pytest.fixture(scope="module")
def faces():
    rng = np.random.default_rng(0)
    coarse = torch.from_numpy(rng.uniform(0, 255, (2, 3, 7, 7)))
    smooth = torch.nn.functional.interpolate(coarse, (112, 112), mode="bilinear").permute(0, 2, 3, 1)
    return smooth.round().to(torch.uint8).numpy()


def test_size_is_the_published_one_without_classifier():
    with torch.device("meta"):
        network = facenet().eval()
    assert sum(tensor.numel() for tensor in network.parameters()) == 23_482_624
    with FlopCounterMode(display=False) as counter:
        network(torch.empty(1, 3, 160, 160, device="meta"))
    assert counter.get_total_flops() / 1e9 == pytest.approx(2.84, abs=0.01)


def test_embeddings_are_those_of_the_package(published, embedder, faces):
    vectors, norms = embedder.embed_with_norms(faces)
    with torch.inference_mode():
        expected = published[0](network_input(faces, CARD)).numpy()
    assert np.abs(vectors - expected).max() < 1e-5
    assert np.abs(expected[0] - expected[1]).max() > 1e-2
    assert np.abs(norms - 1).min() > 1


@pytest.mark.parametrize("change", [{"value_range": (0.0, 1.0)}, {"channels": "bgr"}])
def test_range_and_channel_order_move_the_embedding(published, embedder, faces, change):
    assert network_input(faces, CARD).shape == (2, 3, 160, 160)
    with torch.inference_mode():
        wrong = published[0](network_input(faces, CARD.model_copy(update=change))).numpy()
    assert np.abs(embedder.embed(faces) - wrong).max(axis=1).min() > 5e-3
