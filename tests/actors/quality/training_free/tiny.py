"""Recognition networks of some thousand parameters for training-free scorers, and faces for them."""

from pathlib import Path

import numpy as np

from synfiqa.actors.model_store.cache import locate
from synfiqa.actors.model_store.catalogue import Model
from synfiqa.actors.model_store.checks.canary import canary_images
from synfiqa.actors.model_store.execution import Execution
from synfiqa.actors.quality.training_free.recogniser import Recogniser, recogniser_of
from synfiqa.actors.recognition.network_embedder import NetworkEmbedder
from synfiqa.schemas.model_card import ModelCard
from tests.actors.model_store.cards import SMALL, model

IRESNET = {
    "architecture": "insightface-iresnet",
    "arguments": {"layers": [1, 1, 1, 1], "widths": [4, 4, 8, 8], "embedding_dim": 16, "dropout": 0.4},
    "channels": "rgb",
    "value_range": [-1, 1],
    "normalise": "range",
}
VIT = IRESNET | {
    "architecture": "vit-recogniser",
    "arguments": {"patch": 28, "width": 16, "depth": 3, "heads": 2, "embedding_dim": 8, "pooling": "mean"},
}


def faces(count: int, seed: int = 0) -> np.ndarray:
    """Return uint8 RGB (count, 112, 112, 3): the canary with noise of rising strength."""
    draw = np.random.default_rng(seed)
    strength = np.linspace(0, 90, count)[:, None, None, None]
    noisy = np.resize(canary_images(3), (count, 112, 112, 3)) + strength * draw.standard_normal((count, 112, 112, 3))
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def network(folder: Path, **changes: object) -> Model:
    """Return an embedder of random weights, by default a small grey network."""
    return model(folder, **changes)


def opened(found: Model, batch: int = 8) -> Recogniser:
    """Return the network of a model in calls of so many faces."""
    shared = recogniser_of(found, "test")
    own = NetworkEmbedder(found.card, locate(found), Execution(micro_batch=batch))
    return Recogniser(found.card, own.network, shared.digest)


def quality_card(architecture: str, **arguments: object) -> ModelCard:
    """Return the card of a scorer."""
    fields = SMALL | {"role": "quality", "architecture": architecture, "arguments": arguments, "source": "built-in"}
    return ModelCard(name="tried", higher_is_better=True, **fields)
