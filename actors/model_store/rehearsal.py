"""Writes shape-exact random weights for a card into a folder, so that a pipeline can be rehearsed without downloads."""

import os
from pathlib import Path

import torch
from safetensors.torch import save_file

from synfiqa.actors.model_store.architectures import ARCHITECTURES, load
from synfiqa.actors.model_store.digest import weights_digest
from synfiqa.actors.model_store.loading import build_network
from synfiqa.actors.model_store.random_weights import random_state
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import ModelCard

DONE = ".whole"
"""Name of the marker that says a rehearsal folder is complete; it holds the digest of what was written."""


def write_rehearsal(card: ModelCard, folder: Path, seed: int) -> Path:
    """Return the weights file or folder, written if it is not whole yet; UserError for an architecture without one."""
    architecture = ARCHITECTURES[card.architecture]
    if not (architecture.rehearsal or architecture.network):
        raise UserError(f"model '{card.name}': {card.architecture} has no random weights; name a real source")
    target = folder / ("weights" if architecture.rehearsal else "weights.safetensors")
    if not ((folder / DONE).exists() and target.exists()):
        if architecture.rehearsal:
            target.mkdir(exist_ok=True)
            load(architecture.rehearsal)(card, target, seed)
        else:
            with torch.device("meta"):
                skeleton = build_network(card)
            partial = folder / f"weights.{os.getpid()}.part"
            save_file(_adjusted(architecture.network, random_state(skeleton, seed, architecture.gain)), partial)
            partial.replace(target)
        (folder / DONE).write_text(weights_digest(target), encoding="ascii")
    return target


def _adjusted(network: str, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Let an architecture put sense into its random weights, where chance alone would never let a pipeline run."""
    adjust = getattr(load(network), "rehearse", None)
    if adjust is not None:
        adjust(state)
    return state
