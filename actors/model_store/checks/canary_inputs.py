"""A digest of everything outside the card that a recorded canary rests on.

`models check --record` writes it behind the canary as a comment. Comparing it costs a second, loading a network of
gigabytes costs minutes: a test can hold every recorded canary against the code without weights.
"""

import hashlib
import json

import numpy as np
import torch

from synfiqa.actors.model_store.architectures.table import architecture_of, load
from synfiqa.actors.model_store.cache import digest_of
from synfiqa.actors.model_store.catalogue import Model
from synfiqa.actors.model_store.checks.canary import CAPTION, LANDMARKS, LENGTH, PORTRAIT_SIDE, SIDE, canary_images
from synfiqa.actors.model_store.loading import build_network
from synfiqa.actors.model_store.rehearsal import random_tensors
from synfiqa.cluster.run.fingerprint import INPUT_FIELDS
from synfiqa.schemas.model_card import RANDOM

DIGITS = 12
"""Hexadecimal digits of the digest that stand beside a canary."""


def inputs_digest(model: Model) -> str:
    """Return the digest of weights, input contract, pictures and caption; of random weights, also how they are made."""
    parts = [digest_of(model), model.card.model_dump(mode="json", include=INPUT_FIELDS), CAPTION, LENGTH]
    pictures = [canary_images(side=side) for side in (SIDE, PORTRAIT_SIDE)]
    if model.origin.startswith(RANDOM):
        parts.append(_rehearsal(model))
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode())
    for array in (*pictures, LANDMARKS):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:DIGITS]


def _rehearsal(model: Model) -> list:
    """Return how random weights come about: values by place, frozen words, and shapes of the network."""
    architecture = architecture_of(model.card)
    example = {"a.weight": ((2, 3), torch.float32), "a.bias": ((2,), torch.float32)}
    values = [value.flatten().tolist() for value in random_tensors(example, seed=1).values()]
    frozen = load(architecture.frozen)() if architecture.frozen else []
    shapes = {}
    if architecture.network:
        with torch.device("meta"):
            network = build_network(model.card)
        shapes = {key: [*value.shape, str(value.dtype)] for key, value in network.state_dict().items()}
    return [values, frozen, list(shapes.items())]
