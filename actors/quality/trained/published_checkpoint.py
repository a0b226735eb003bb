"""Quality networks from published checkpoints without a card: CR-FIQA, MR-FIQA, ViT-FIQA, eDifFIQA, SDD-FIQA."""

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

import torch

from synfiqa.actors.model_store.architectures.architecture import WRAPPED
from synfiqa.actors.model_store.architectures.quality import NETWORKS, RGB
from synfiqa.actors.model_store.loading import build_network
from synfiqa.actors.model_store.state import fit_state, require_finite, state_dict_of
from synfiqa.actors.nets.fiqa.contract import FiqaNetwork
from synfiqa.actors.nets.fiqa.detect import detect_fiqa
from synfiqa.actors.quality.trained.quality_model import QualityModel
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import ModelCard, StateRules


def published_model(content: Mapping[str, Any], source: str, digest: str, device: str = "cpu") -> QualityModel:
    """Return the network that a checkpoint holds, with a card made from its keys; UserError where it holds none.

    `content` is a state dict, perhaps inside a wrapper, its keys perhaps prefixed; `digest` is the SHA-256 of the file.
    A key that is missing or of another shape is refused by name, so that no weight stays random.
    """
    state = state_dict_of(content, StateRules(**WRAPPED))
    try:
        architecture, arguments = detect_fiqa({key: tuple(value.shape) for key, value in state.items()})
    except UserError as error:
        raise UserError(f"{source}: {error}") from error
    card = ModelCard(
        name=_name(source),
        role="quality",
        architecture=architecture,
        arguments=arguments,
        sha256=digest,
        input_size=RGB.input_size,
        channels=RGB.channels,
        value_range=RGB.value_range,
        output="quality score (N,), unbounded",
        higher_is_better=True,
        licence="not stated in the file; CR-FIQA, MR-FIQA and ViT-FIQA are CC BY-NC 4.0",
        commercial_use=False,
    )
    with torch.device("meta"):
        network = build_network(card)
    network = network.to_empty(device="cpu")
    assert isinstance(network, FiqaNetwork)
    fit_state(network, state, NETWORKS[architecture].rules, source)
    require_finite(state, source)
    return QualityModel(network.float(), card, device)


def _name(source: str) -> str:
    name = re.sub(r"[^A-Za-z0-9._-]", "-", PurePosixPath(source).stem).lstrip("._-")
    return name[:64] or "checkpoint"
