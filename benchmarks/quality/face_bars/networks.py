"""Networks that are measured: those of the package, or of `synfiqa bootstrap` with other seeds."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from synfiqa.actors.model_store.catalogue import read_bundled
from synfiqa.actors.players import player
from synfiqa.fiqa_train.bundled.everything import NETWORKS
from synfiqa.schemas.errors import UserError

_REMEDY = "name folders that `synfiqa bootstrap --part networks --out FOLDER` has written"


def require_networks(folders: Sequence[Path]) -> None:
    """Raise UserError for the first folder that lacks a trained network, or has a card that cannot be read."""
    for folder in folders:
        for name in NETWORKS:
            _card(folder, name)
            if not (weights := folder / f"{name}.safetensors").is_file():
                raise UserError(f"{weights} is missing: {_REMEDY}")


def network(folder: Path, name: str) -> Any:
    """Load the network of that name."""
    return player(_card(folder, name))


def _card(folder: Path, name: str) -> Any:
    card = folder / f"{name}.yaml"
    try:
        return read_bundled(card)
    except UserError:
        raise UserError(f"{card} is missing or no model card: {_REMEDY}") from None
