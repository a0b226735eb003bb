"""Channel order, value range and size are never silent: a model answers a wrong card otherwise than a right one.

Players run here with networks of a few hundred parameters; `models check configs/models-test.yaml` does the same with
the published architectures at full size.
"""

import dataclasses
import hashlib
import itertools

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from synfiqa.actors.model_store.architectures.extras import missing_extra
from synfiqa.actors.model_store.architectures.table import ARCHITECTURES, Contract
from synfiqa.actors.model_store.cache import locate
from synfiqa.actors.model_store.catalogue import Model, bundled, check_contract
from synfiqa.actors.model_store.checks.canary import (
    ROLES,
    TOLERANCE,
    answer,
    answer_of,
    canary_images,
    compare,
    moved,
    wrong_cards,
)
from synfiqa.actors.model_store.execution import Execution
from synfiqa.actors.model_store.loading import play
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import BUILT_IN, ModelCard
from tests.actors.model_store.cards import SMALL, card
from tests.actors.model_store.tiny_networks import TinyEmbedding
from tests.actors.nets.fiqa.tiny import TINY as SMALL_NETWORKS

TINY = "tests.actors.model_store.tiny_networks:"
NETWORKS = {
    "retinaface-r50": TINY + "TinyAnchors",
    "6drepnet360": TINY + "TinyRotation",
    "adaface-ir": TINY + "TinyEmbedding",
    "insightface-iresnet": TINY + "TinyEmbedding",
    "facenet": TINY + "TinyEmbedding",
    "deca-coarse": "tests.actors.model_store.checks.test_canary:TinyCode",
    "bisenet-r18": "tests.actors.model_store.checks.test_canary:TinyParts",
}
"""Stand-ins with the inputs and outputs of the published networks."""
TINY_CLIP = {
    "embed_dim": 8,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "patch_size": 16},
    "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}
SETTINGS = {
    "small-iresnet": {"arguments": SMALL["arguments"]},
    "quality-net": {"arguments": {"widths": [16, 16, 16, 16], "blocks": [1, 1, 1, 1], "head_width": 8}},
    "fiqa-compact": {"arguments": SMALL_NETWORKS["compact"]},
    "fiqa-iresnet": {"arguments": SMALL_NETWORKS["iresnet50"]},
    "fiqa-mobilefacenet": {"arguments": SMALL_NETWORKS["mobilefacenet"]},
    "fiqa-vit": {"arguments": SMALL_NETWORKS["vit-s"]},
    "dsl-fiqa": {"arguments": SMALL_NETWORKS["dsl"]},
    "small-clip": {
        "arguments": {
            "vocabulary": ["a", "sharp", "photo", "of", "face", "in", "even", "light"],
            "context_length": 12,
            "embed_dim": 8,
            "image_size": 112,
            "widths": [16, 16, 16, 16],
            "blocks": [1, 1, 1, 1],
            "text_width": 16,
            "text_layers": 1,
            "mlp_ratio": 1.0,
        },
        "input_size": 112,
    },
    "blip-itc": {"arguments": {"size": "tiny"}, "input_size": 48},
    "open-clip": {"arguments": {"config": TINY_CLIP}, "input_size": 32},
    # Its captions are long, and differ in their last words.
    "factor-prompts": {
        "arguments": {"config": TINY_CLIP | {"text_cfg": TINY_CLIP["text_cfg"] | {"context_length": 77}}, "scale": 1e3},
        "input_size": 32,
    },
    "retinaface-r50": {"arguments": {"min_confidence": 0.0}, "input_size": 128},
}
RUNNING = Execution(micro_batch=2)


class TinyCode(TinyEmbedding):
    """Colour images to codes (N, 236), of which the camera is as large as DECA's."""

    def __init__(self) -> None:
        super().__init__()
        self.project = nn.Linear(8, 236)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + 8.5 * (torch.arange(236) == 206)


class TinyParts(nn.Module):
    """Colour images to logits of 19 parts for every pixel."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, 19, 5, padding=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(x)


PREPARED = {"small-clip", "mtcnn"}
"""Their code prepares its input itself; a card can only agree with it, and every other one is refused."""
CASES = [
    (name, contract)
    for name, architecture in ARCHITECTURES.items()
    if architecture.role in ROLES
    for contract in architecture.contracts
    if name not in ("mtcnn", "dlib-resnet", "froq")  # no random weights of theirs could answer
]
WITH_WEIGHTS = sorted(
    name for name, model in bundled().items() if model.origin != BUILT_IN and not missing_extra(model.card)
)


def card_of(name: str, contract: Contract) -> ModelCard:
    """Return a card of the architecture that keeps to the contract."""
    fields = {
        "role": ARCHITECTURES[name].role,
        "architecture": name,
        "arguments": {},
        "channels": contract.channels,
        "normalise": contract.normalise,
        "value_range": contract.value_range or ([-1, 1] if contract.normalise == "range" else None),
        "input_size": contract.input_size or 64,
        "resize": contract.resize or "bilinear",
    }
    own = SETTINGS.get(name, {})
    if name == "small-iresnet" and contract.channels == "rgb":
        own = own | {"arguments": own.get("arguments", {}) | {"in_channels": 3}}
    return card(**fields | own)


@pytest.fixture
def small_networks(monkeypatch):
    for name, network in NETWORKS.items():
        monkeypatch.setitem(ARCHITECTURES, name, dataclasses.replace(ARCHITECTURES[name], network=network))


def weights_of(card: ModelCard, folder):
    return locate(Model(card, card.source, cache=str(folder)))


def described(value) -> str:
    return value if isinstance(value, str) else f"{value.channels}-{value.normalise}-{value.value_range}"


@pytest.mark.parametrize(("name", "contract"), CASES, ids=described)
def test_a_wrong_card_of_every_published_input_is_noticed(tmp_path, small_networks, name, contract):
    own = card_of(name, contract)
    check_contract(own, "here")
    path = weights_of(own, tmp_path)
    player = play(own, path, RUNNING)
    right = answer_of(own.role, player)
    assert np.isfinite(right).all()
    assert right.any()
    assert moved(right, answer(own, path, RUNNING)) == 0, "the answer depends on card and weights alone"
    wrong = wrong_cards(own)
    tried = {"channels", "range", "size"} - ({"size"} if own.role == "face_parser" else set())
    assert wrong.keys() == (tried if own.channels != "gray" else set())
    for what, other in wrong.items():
        player.card = other
        try:
            distance = moved(right, answer_of(own.role, player))
        except (ValueError, RuntimeError, UserError):
            distance = float("inf")
        player.card = own
        if name in PREPARED and distance <= TOLERANCE:
            with pytest.raises(UserError, match=f"no published {name} takes"):
                check_contract(other, "here")
        else:
            assert distance > TOLERANCE, what
    assert moved(right, answer_of(own.role, player)) == 0, "the right card is back"


@pytest.mark.parametrize(("name", "contract"), CASES, ids=described)
def test_a_player_reads_its_input_from_the_card_it_holds(tmp_path, small_networks, name, contract):
    own = card_of(name, contract)
    path = weights_of(own, tmp_path)
    player = play(own, path, RUNNING)
    assert player.card is own
    for what in ("channels", "range"):
        other = wrong_cards(own).get(what)
        if other is not None and name not in PREPARED | {"blip-itc", "open-clip", "factor-prompts"}:
            # Those compare card and files when they are loaded, and refuse.
            player.card = other
            assert moved(answer(other, path, RUNNING), answer_of(own.role, player)) == 0


def changed_pictures(images: np.ndarray) -> dict[str, np.ndarray]:
    return {
        "channels": images[..., ::-1],
        "range": (images // 2 + 64).astype(np.uint8),
        "size": np.repeat(np.repeat(images[:, ::2, ::2], 2, axis=1), 2, axis=2),
    }


@pytest.mark.parametrize("name", [name for name in WITH_WEIGHTS if name != "mtcnn"])
def test_a_bundled_model_sees_channels_range_and_size(name):
    model = bundled()[name]
    player = play(model.card, locate(model), RUNNING)

    def asked(images):
        if model.card.role == "quality":
            return player.score(images)
        return player.embed(images) if model.card.role == "embedder" else player.similarity(images, "a photo of a face")

    images = canary_images(side=model.card.input_size if getattr(player, "takes_portraits", False) else 112)
    right = asked(images)
    for what, changed in changed_pictures(images).items():
        if what == "range" and model.card.normalise == "per-image":
            # It is made to forget brightness and contrast: only rounding is left.
            assert moved(right, asked(changed)) < 0.1
        else:
            assert moved(right, asked(changed)) > TOLERANCE, what


def test_the_bundled_detector_sees_channels_and_range(tmp_path):
    data = pytest.importorskip("skimage.data")
    detector = play(bundled()["mtcnn"].card, locate(bundled()["mtcnn"]))
    picture = data.astronaut()[:256, 128:384]
    right, swapped, dull = detector.detect([picture, np.ascontiguousarray(picture[..., ::-1]), picture // 2])
    for other in (swapped, dull):
        assert right is not None
        assert other is None or moved(right.landmarks, other.landmarks) > TOLERANCE


@pytest.mark.parametrize("name", WITH_WEIGHTS)
def test_bundled_cards_keep_to_the_contracts_of_their_architectures(name):
    check_contract(bundled()[name].card, name)
    for other in wrong_cards(bundled()[name].card).values():
        if other.input_size == bundled()[name].card.input_size:
            with pytest.raises(UserError):
                check_contract(other, name)


def test_every_model_that_measures_has_a_canary_and_those_that_make_have_none():
    roles = {architecture.role for architecture in ARCHITECTURES.values()}
    makers = {"identity_generator", "conditional_generator", "face_model", "conditional_diffusion"}
    assert roles - ROLES == makers


def test_the_camera_of_a_face_code_does_not_hide_its_shape():
    class Encoder:
        def raw_answer(self, images):
            return np.concatenate([images.mean((1, 2)) / 2e4, np.zeros((len(images), 97)), [[0, 8.5]] * 2], axis=1)

    right = answer_of("face_encoder", Encoder())
    assert right.size == 2 * 100
    assert np.abs(right).max() < 0.1


def test_a_parser_answers_with_the_share_of_every_part():
    class Parser:
        def parts(self, images):
            found = np.zeros(images.shape[:3], np.uint8)
            found[:, :, : images.shape[2] // 4] = 18
            return found

    one = answer_of("face_parser", Parser()).reshape(2, 19)[0]
    assert one.tolist() == [0.75, *[0.0] * 17, 0.25]


def test_every_architecture_with_weights_is_tried():
    tried = {name for name, _ in CASES} | {"mtcnn"}
    # Classifiers in ONNX come from anywhere; their cards say everything, and no input of theirs is published.
    measuring = {name: entry for name, entry in ARCHITECTURES.items() if entry.role in ROLES}
    assert tried >= {name for name, entry in measuring.items() if entry.network or entry.rehearsal}


def test_the_canary_is_the_same_on_every_machine():
    images = canary_images()
    assert images.shape == (2, 112, 112, 3)
    assert hashlib.sha256(images.tobytes()).hexdigest()[:16] == "afd8683f66c04dbc"
    channels = np.moveaxis(images, -1, 0).reshape(3, -1).astype(float)
    for one, other in itertools.combinations(channels, 2):
        assert np.abs(one - other).mean() > 10, "swapped channels make another picture"
    assert np.abs(images[0].astype(float) - images[1]).mean() > 1


def test_how_far_answers_are_apart_is_relative_to_the_largest():
    assert moved(np.array([1.0, -4.0]), np.array([1.0, -3.0])) == 0.25
    assert moved(np.zeros(2), np.zeros(2)) == 0
    assert moved(np.zeros(2), np.zeros(3)) == float("inf")
    assert compare((1.0, 2.0), np.array([1.0, 2.0, 9.0])) == 0
    assert compare((1.0, 2.0), np.array([1.0])) == float("inf")
    assert np.isnan(moved(np.ones(2), np.array([1.0, np.nan])))
