import numpy as np
import pytest
import torch
from facenet_pytorch.models.utils.detect_face import extract_face
from PIL import Image
from safetensors.torch import save_file

from synfiqa.actors.imaging.preprocess import network_input
from synfiqa.actors.model_store.execution import Execution
from synfiqa.actors.model_store.loading import build_network, load_network
from synfiqa.actors.model_store.rehearsal import random_state
from synfiqa.actors.recognition.network_embedder import NetworkEmbedder, conditioning_crop
from synfiqa.actors.roles import Detection
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import ModelCard

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
    return NetworkEmbedder(card, weights / f"{card.name}.safetensors", Execution(**running))


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


def test_crops_of_the_cards_own_size_reach_the_network_as_they_are(weights):
    large = COLOUR.model_copy(update={"input_size": 128})
    seen = []
    made = embedder(large, weights)
    # The real one ends in a linear layer that takes faces of 112 pixels only.
    made._network.module = lambda inputs: seen.append(inputs) or inputs.mean((2, 3))
    crops = np.random.default_rng(1).integers(0, 256, (1, 128, 128, 3), dtype=np.uint8)
    made.embed(crops)
    made.embed(crops[:, :112, :112])
    np.testing.assert_array_equal(seen[0][0], network_input(crops, large)[0])
    assert seen[1].shape[2:] == (128, 128), "aligned faces are resized to the card's size"
    with pytest.raises(ValueError, match=r"\(N, 112, 112, 3\) or \(N, 128, 128, 3\), not \(1, 120, 120, 3\)"):
        made.embed(crops[:, :120, :120])


def test_facenet_was_trained_on_boxes_and_all_others_on_aligned_faces(small):
    made = object.__new__(NetworkEmbedder)
    for architecture, crop in (("facenet", "box"), ("adaface-ir", "aligned"), ("insightface-iresnet", "aligned")):
        made.card = COLOUR.model_copy(update={"architecture": architecture, "input_size": 160})
        assert (made.crop, made.side) == (crop, 160)
    assert (small.crop, small.side) == ("aligned", 112)


def face(*box):
    return Detection(0.9, np.array(box, float), np.zeros((5, 2)))


@pytest.mark.parametrize("box", [(30.7, 20.2, 90.9, 110.5), (-8.3, 12.0, 70.0, 99.9), (50.5, -4.0, 140.2, 180.0)])
def test_the_conditioning_crop_is_that_of_facenet_pytorch(box):
    image = np.random.default_rng(2).integers(0, 256, (130, 120, 3), dtype=np.uint8)
    released = extract_face(Image.fromarray(image), np.array(box), image_size=160, margin=0)
    np.testing.assert_array_equal(conditioning_crop(image, face(*box), 160), released.permute(1, 2, 0).numpy())


def test_the_conditioning_crop_is_stretched_without_keeping_its_aspect():
    image = np.zeros((60, 60, 3), np.uint8)
    image[10:50, 20:40] = 255
    assert (conditioning_crop(image, face(20, 10, 40, 50), 32) == 255).all()


def test_without_a_face_the_whole_picture_is_cropped():
    image = np.random.default_rng(3).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    np.testing.assert_array_equal(conditioning_crop(image, None, 64), image)


@pytest.mark.parametrize("box", [(500, 500, 600, 600), (-90, -90, -50, -50), (30, 30, 30, 30), (40, 40, 20, 20)])
def test_a_box_outside_the_image_or_of_no_area_still_gives_a_crop(box):
    image = np.full((64, 64, 3), 7, np.uint8)
    assert (conditioning_crop(image, face(*box), 16) == 7).all()


def test_an_absurd_box_takes_no_memory():
    assert conditioning_crop(np.zeros((64, 64, 3), np.uint8), face(-1e30, -1e30, 1e30, 1e30), 16).shape == (16, 16, 3)


def test_floats_are_refused(small):
    with pytest.raises(ValueError, match="uint8 RGB"):
        small.embed(np.zeros((1, 112, 112, 3), np.float32))


@pytest.mark.parametrize("change", [{"channels": "rgb"}, {"value_range": (0.0, 1.0)}, {"normalise": "imagenet"}])
def test_input_of_the_card_determines_the_embedding(weights, faces, change):
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
        NetworkEmbedder(SMALL, weights / "colour.safetensors", Execution())
