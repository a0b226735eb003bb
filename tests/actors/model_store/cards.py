"""Cards of a network that is small enough for tests, its weights, and catalogues of such cards."""

from pathlib import Path

import torch
import yaml
from safetensors.torch import save_file

from synfiqa.actors.model_store.catalogue import Catalogue, Model
from synfiqa.actors.model_store.digest import weights_digest
from synfiqa.actors.model_store.loading import build_network
from synfiqa.actors.model_store.rehearsal import random_state
from synfiqa.schemas.model_card import ModelCard

SMALL = {
    "role": "embedder",
    "architecture": "small-iresnet",
    "arguments": {"widths": [4, 4, 4, 4], "blocks": [1, 1, 1, 1], "embedding_dim": 8},
    "source": "random:0",
    "input_size": 112,
    "channels": "gray",
    "value_range": None,
    "normalise": "per-image",
    "output": "unit vector (8,)",
    "licence": "MIT",
    "commercial_use": True,
}
"""Fields of a card whose network has some thousand parameters."""

ADAFACE = SMALL | {
    "architecture": "adaface-ir",
    "arguments": {"depth": 18},
    "channels": "bgr",
    "value_range": [-1, 1],
    "normalise": "range",
}
"""Fields of a card of a published architecture, for what needs no network."""


def card(name: str = "mine", **changes: object) -> ModelCard:
    """Return the small card with some fields changed."""
    return ModelCard(name=name, **(SMALL | changes))


def state(seed: int = 0) -> dict[str, torch.Tensor]:
    """Return random weights that fit the small card."""
    return random_state(build_network(card()), seed)


def weights(folder: Path, name: str = "w.safetensors", seed: int = 0) -> tuple[Path, str]:
    """Write random weights that fit the small card; return the file and its digest."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(state(seed), path)
    return path, weights_digest(path)


def catalogue(folder: Path, cache: Path | None = None, *, offline: bool = True, **entries: dict) -> Catalogue:
    """Write `models.yaml` with these cards into the folder and load it; the cache is inside the folder, too."""
    path = catalogue_file(folder, **entries)
    return Catalogue.load(str(path), str(cache or folder / "cache"), offline=offline)


def catalogue_file(folder: Path, **entries: dict) -> Path:
    """Write `models.yaml` with these cards into the folder."""
    path = folder / "models.yaml"
    path.write_text(yaml.safe_dump({"models": entries}, sort_keys=False), encoding="utf-8")
    return path


def model(folder: Path, **changes: object) -> Model:
    """Return the one model of a catalogue in the folder, the small card with some fields changed."""
    return catalogue(folder, mine=SMALL | changes).model("mine")
