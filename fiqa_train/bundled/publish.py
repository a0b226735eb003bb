"""Storage of trained networks: half-precision weights with their model card."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors.torch import save
from torch import Tensor, nn

from synfiqa.actors.model_store.checks.canary import answer, answer_of, recorded
from synfiqa.actors.model_store.loading import build_network
from synfiqa.actors.nets.fiqa.contract import FiqaNetwork
from synfiqa.actors.quality.trained.quality_model import QualityModel
from synfiqa.schemas.model_card import ModelCard

LICENCE = "Apache-2.0"


def publish(net: nn.Module, folder: Path, **card: Any) -> ModelCard:
    """Write `<name>.safetensors` and `<name>.yaml` into the folder; `card` holds all but digest, licence and canary."""
    content = save(in_half(net.state_dict()))
    described = ModelCard(sha256=hashlib.sha256(content).hexdigest(), licence=LICENCE, commercial_use=True, **card)
    path = _write(content, described, folder)
    proven = described.model_copy(update={"canary": recorded(answer(described, path))})
    write_card(proven, folder)
    return proven


def publish_quality(model: QualityModel, metrics: dict[str, float], target: Path) -> ModelCard:
    """Write a trained quality model as one file with its card in the metadata, and the card as YAML beside it.

    The card keeps its scale of scores where it has one.
    """
    card = model.card.model_dump(mode="json", exclude={"sha256"})
    card |= {"name": target.stem, "metrics": metrics, "licence": LICENCE, "command": "synfiqa bootstrap"}
    state = in_half(model.state_dict())
    network = build_network(model.card)
    assert isinstance(network, FiqaNetwork)
    network.load_state_dict(state)
    card["canary"] = recorded(answer_of("quality", type(model)(network, model.card)))
    content = save(state, metadata={"card": json.dumps(card, sort_keys=True)})
    described = ModelCard(**card, sha256=hashlib.sha256(content).hexdigest())
    _write(content, described, target.parent)
    write_card(described, target.parent)
    return described


def in_half(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors with floats in half precision; ValueError naming those that overflow."""
    tensors = {key: (value.half() if value.is_floating_point() else value).contiguous() for key, value in state.items()}
    broken = [key for key, value in tensors.items() if value.is_floating_point() and not torch.isfinite(value).all()]
    if broken:
        raise ValueError(f"weights {', '.join(broken)} are not finite in half precision")
    return tensors


def _write(content: bytes, card: ModelCard, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{card.name}.safetensors"
    path.write_bytes(content)
    return path


def write_card(card: ModelCard, folder: Path) -> None:
    """Write a card beside its weights."""
    text = yaml.safe_dump(card.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=110)
    (folder / f"{card.name}.yaml").write_text(text, encoding="utf-8")
