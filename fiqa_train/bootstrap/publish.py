"""Stores a trained network as half-precision weights with their model card."""

import hashlib
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors.torch import save
from torch import nn

from schemas.model_card import ModelCard


def publish(net: nn.Module, folder: Path, **card: Any) -> ModelCard:
    """Write `<name>.safetensors` and `<name>.yaml` into the folder; `card` holds all of `ModelCard` but the digest."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {
        key: (value.half() if value.is_floating_point() else value).contiguous()
        for key, value in net.state_dict().items()
    }
    broken = [key for key, value in tensors.items() if value.is_floating_point() and not torch.isfinite(value).all()]
    if broken:
        raise ValueError(f"weights {', '.join(broken)} are not finite in half precision")
    content = save(tensors)
    described = ModelCard(sha256=hashlib.sha256(content).hexdigest(), licence="Apache-2.0", commercial_use=True, **card)
    (folder / f"{described.name}.safetensors").write_bytes(content)
    write_card(described, folder)
    return described


def write_card(card: ModelCard, folder: Path) -> None:
    """Write a card beside its weights."""
    text = yaml.safe_dump(card.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=110)
    (folder / f"{card.name}.yaml").write_text(text, encoding="utf-8")
