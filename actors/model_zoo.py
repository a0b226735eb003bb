"""The models that ship with the package: their cards, their weights, and the digests that a run records."""

import hashlib
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from pydantic import ValidationError
from safetensors import SafetensorError

from actors.roles import Embedder, ImageText
from cluster.errors import UserError
from schemas.config import RunConfig
from schemas.model_card import ModelCard, Role

if TYPE_CHECKING:
    # A driver that only generates asks for digests, and need not import torch for seconds.
    from torch import Tensor

WEIGHTS_DIR = Path(__file__).parent / "weights"
"""Folder of `<name>.safetensors` (fp16) and `<name>.yaml` (card)."""


def bundled_models(folder: Path = WEIGHTS_DIR) -> dict[str, ModelCard]:
    """Return the card of every bundled model by name."""
    return {path.stem: load_card(path.stem, folder=folder) for path in sorted(folder.glob("*.yaml"))}


def load_card(name: str, role: Role | None = None, folder: Path = WEIGHTS_DIR) -> ModelCard:
    """Return the card of a bundled model; `UserError` when there is none, or one that does not play the role."""
    path = folder / f"{name}.yaml"
    known = sorted(entry.stem for entry in folder.glob("*.yaml"))
    if name not in known:
        raise UserError(f"There is no bundled model '{name}'; choose one of {', '.join(known) or '(none installed)'}.")
    try:
        card = ModelCard(**yaml.safe_load(path.read_text(encoding="utf-8")))
    except (yaml.YAMLError, ValidationError, TypeError) as error:
        raise UserError(f"The model card {path} cannot be read; reinstall the package to restore it.") from error
    if role is not None and card.role != role:
        fitting = [entry for entry in known if load_card(entry, folder=folder).role == role]
        raise UserError(f"Model '{name}' plays the role {card.role}, not {role}; choose one of {', '.join(fitting)}.")
    return card


def weights_path(name: str, folder: Path = WEIGHTS_DIR) -> Path:
    """Return where the weights of a bundled model lie."""
    return folder / f"{load_card(name, folder=folder).name}.safetensors"


def load_weights(card: ModelCard, folder: Path = WEIGHTS_DIR) -> "dict[str, Tensor]":
    """Return the tensors of a bundled model in float32 after comparing the file's digest with the card."""
    path = folder / f"{card.name}.safetensors"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"The weights {path} of model '{card.name}' are missing; reinstall the package.") from error
    digest = hashlib.sha256(content).hexdigest()
    if digest != card.sha256:
        raise UserError(
            f"The weights {path} have digest {digest[:12]} but their card says {card.sha256[:12]}; "
            "reinstall the package or train them again with the command on the card."
        )
    from safetensors.torch import load

    try:
        tensors = load(content)
    except SafetensorError as error:
        raise UserError(f"The weights {path} are no safetensors file; reinstall the package.") from error
    return {key: tensor.float() if tensor.is_floating_point() else tensor for key, tensor in tensors.items()}


def load_embedder(name: str, device: str = "cpu") -> Embedder:
    """Return the bundled embedder of that name, ready to use."""
    from actors.embedding import BundledEmbedder

    return BundledEmbedder(name, device)


def load_image_text(name: str, device: str = "cpu") -> ImageText:
    """Return the bundled image-text model of that name; its library takes seconds to import, hence only here."""
    from actors.image_text import BundledImageText

    return BundledImageText(name, device)


def model_digests(config: RunConfig) -> dict[str, str]:
    """Return name -> sha256 of every model whose output ends up in the dataset of this run.

    `UserError` when a configured name is unknown or plays another role, that of the evaluation embedder included:
    it is loaded long after the dataset is made.
    """
    models = config.models
    load_card(models.evaluation_embedder, role="embedder")
    cards = [load_card(models.embedder, role="embedder"), load_card(models.image_text, role="image_text")]
    return {models.detector: mtcnn_digest(), **{card.name: card.sha256 for card in cards}}


def mtcnn_digest() -> str:
    """Return the sha256 over the P-, R- and O-Net weights that the installed facenet-pytorch carries."""
    package = find_spec("facenet_pytorch")
    if package is None or package.origin is None:
        raise UserError("The detector needs the package facenet-pytorch; install it with the project's dependencies.")
    digest = hashlib.sha256()
    for net in ("pnet", "rnet", "onet"):
        path = Path(package.origin).parent / "data" / f"{net}.pt"
        try:
            digest.update(path.read_bytes())
        except OSError as error:
            raise UserError(f"The detector's weights {path} are missing; reinstall facenet-pytorch.") from error
    return digest.hexdigest()
