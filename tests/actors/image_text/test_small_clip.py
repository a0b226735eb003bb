from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from synfiqa.actors.image_text.captions import REFERENCE_CAPTION, vocabulary
from synfiqa.actors.image_text.dual_encoder import check_input
from synfiqa.actors.image_text.small_clip import SmallClip
from synfiqa.actors.model_store.execution import Execution
from synfiqa.actors.model_store.loading import build_network
from synfiqa.actors.model_store.rehearsal import random_state
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import ModelCard

CAPTIONS = [REFERENCE_CAPTION, "a very blurry photo of a person wearing a mask", "a scarf"]
CARD = ModelCard(
    name="clip",
    role="image_text",
    architecture="small-clip",
    arguments={"vocabulary": vocabulary(), "context_length": 24, "embed_dim": 16, "image_size": 112}
    | {"widths": [16, 16, 16, 16], "blocks": [1, 1, 1, 1], "text_width": 16, "text_layers": 1},
    source="random:1",
    input_size=112,
    channels="rgb",
    value_range=(0.0, 1.0),
    normalise="clip",
    output="cosine of image and caption, -1..1",
    licence="Apache-2.0",
    commercial_use=True,
)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("clip") / "clip.safetensors"
    save_file(random_state(build_network(CARD), seed=2), path)
    return path


@pytest.fixture(scope="module")
def model(weights):
    return SmallClip(CARD, weights, Execution(micro_batch=4))


@pytest.fixture(scope="module")
def faces():
    rng = np.random.default_rng(0)
    coarse = torch.from_numpy(rng.uniform(0, 255, (6, 3, 5, 5)))
    smooth = torch.nn.functional.interpolate(coarse, (112, 112), mode="bilinear").permute(0, 2, 3, 1)
    return smooth.round().to(torch.uint8).numpy()


def test_similarity_is_the_cosine_of_the_towers_features(model, faces):
    found = model.similarities(faces, CAPTIONS)
    assert (found.shape, found.dtype) == ((6, 3), np.float32)
    with torch.inference_mode():
        images = model.clip.encode_image(model.prepare(faces), normalize=True)
        texts = model.clip.encode_text(model.tokenizer(CAPTIONS), normalize=True)
    assert found == pytest.approx((images @ texts.T).numpy(), abs=1e-6)
    assert np.abs(found).max() <= 1
    assert np.ptp(found, axis=0).min() > 1e-3
    assert np.ptp(found, axis=1).min() > 1e-3


def test_result_depends_on_neither_neighbours_nor_other_captions(model, faces):
    together = model.similarities(faces, CAPTIONS)
    for column, caption in enumerate(CAPTIONS):
        assert np.array_equal(model.similarity(faces, caption), together[:, column])
    for row in range(len(faces)):
        assert np.array_equal(model.similarities(faces[row : row + 1], CAPTIONS)[0], together[row])
    assert model.similarities(faces[:0], CAPTIONS).shape == (0, 3)


def test_each_caption_is_encoded_once(weights, faces, monkeypatch):
    model = SmallClip(CARD, weights, Execution(micro_batch=2))
    encoded = []
    original = model.text_features
    monkeypatch.setattr(model, "text_features", lambda caption: encoded.append(caption) or original(caption))
    for _ in range(2):
        model.similarities(faces, CAPTIONS[:2])
        model.similarity(faces[:1], CAPTIONS[0])
    assert encoded == CAPTIONS[:2]


def test_channel_order_matters(model, faces):
    swapped = np.ascontiguousarray(faces[..., ::-1])
    moved = np.abs(model.similarity(faces, REFERENCE_CAPTION) - model.similarity(swapped, REFERENCE_CAPTION))
    assert moved.max() > 1e-3


def test_bfloat16_changes_cosines_little(weights, model, faces):
    half = SmallClip(CARD, weights, Execution(precision="bfloat16", micro_batch=4)).similarities(faces, CAPTIONS)
    assert half.dtype == np.float32
    assert 0 < np.abs(half - model.similarities(faces, CAPTIONS)).max() < 2e-2


def test_wrong_images_and_wrong_arguments_are_refused(model, weights):
    with pytest.raises(ValueError, match="uint8 RGB"):
        model.similarity(np.zeros((1, 112, 112, 3), np.float32), REFERENCE_CAPTION)
    without = {key: value for key, value in CARD.arguments.items() if key != "vocabulary"}
    with pytest.raises(UserError, match="vocabulary"):
        SmallClip(CARD.model_copy(update={"arguments": without}), weights, Execution())


HALF = CARD.model_copy(update={"normalise": "range", "value_range": (-1.0, 1.0)})


@pytest.mark.parametrize(
    ("card", "said"),
    [
        (CARD, {"size": 112}),
        (CARD, {"size": (112, 112), "resize": "bilinear"}),
        (CARD, {"mean": [0.4815, 0.4578, 0.4082], "std": [0.2686, 0.2613, 0.2758]}),
        (HALF, {"mean": [0.5] * 3, "std": [0.5] * 3}),
        (CARD.model_copy(update={"normalise": "imagenet"}), {"mean": [0.485, 0.456, 0.406]}),
    ],
)
def test_card_that_agrees_with_the_models_files_passes(card, said):
    check_input(card, Path("config.json"), **said)


@pytest.mark.parametrize(
    ("card", "said", "complaint"),
    [
        (CARD, {"size": 224}, "size 224 instead of 112"),
        (CARD, {"size": [112, 48]}, "size .* instead of 112"),
        (CARD, {"mean": [0.5] * 3}, "mean .* instead of"),
        (HALF, {"std": [0.2686, 0.2613, 0.2758]}, "deviation .* instead of"),
        (CARD, {"resize": "bicubic"}, "resizing bicubic instead of bilinear"),
        (CARD.model_copy(update={"channels": "bgr"}), {}, "channels rgb instead of bgr"),
    ],
)
def test_card_that_disagrees_is_refused_by_name(card, said, complaint):
    with pytest.raises(UserError, match=f"'clip': config.json declares {complaint}"):
        check_input(card, Path("config.json"), **said)
