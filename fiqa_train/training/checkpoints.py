"""Storage of quality models: the training state to resume from, and finished weights with their card."""

import hashlib
import io
import json
from pathlib import PurePosixPath
from typing import Any

import torch
import yaml
from pydantic import ValidationError
from safetensors import SafetensorError, deserialize
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from synfiqa.actors.model_store.architectures.quality import NETWORKS
from synfiqa.actors.model_store.catalogue import BUNDLED, bundled
from synfiqa.actors.model_store.checks.foreign_files import foreign_content, wrapping
from synfiqa.actors.model_store.loading import build_network
from synfiqa.actors.model_store.state import require_finite
from synfiqa.actors.nets.fiqa.contract import FiqaNetwork
from synfiqa.actors.quality.trained.portraits.portrait_model import PortraitModel
from synfiqa.actors.quality.trained.portraits.published_dsl import DSL_FILES, published_dsl
from synfiqa.actors.quality.trained.published_checkpoint import published_model
from synfiqa.actors.quality.trained.quality_model import QualityModel
from synfiqa.cluster.run.manifest import MANIFEST
from synfiqa.cluster.storage.storage import Storage
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import BUNDLED_QUALITY, ModelCard

WEIGHTS = "model.safetensors"
CARD = "model.yaml"
STATE = "state.pt"
METRICS = "metrics.json"
PORTRAITS = "dsl-fiqa"
"""Architecture of networks that score portraits."""
TORCH_FILES = (".pth", ".pt", ".ckpt")
"""Endings of checkpoints that torch has written, as CR-FIQA and MR-FIQA publish them."""
BUNDLED_FILE = BUNDLED / f"{BUNDLED_QUALITY}.safetensors"
"""The quality model that ships with the package (fp16, card inside), made by `synfiqa bootstrap`."""


def model_folder(name: str) -> str:
    """Return the folder of a trained model inside its run."""
    return f"models/{name}"


def dump_state(state: dict[str, Any]) -> bytes:
    """Serialise a training state of tensors and plain values."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


def parse_state(data: bytes) -> dict[str, Any]:
    """Parse a training state; loads tensors and plain values only, no pickled objects."""
    state: dict[str, Any] = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    return state


def publish(storage: Storage, name: str, weights: dict[str, Tensor], card: dict[str, Any]) -> ModelCard:
    """Write the weights, then the card, and return the card; `card` lacks the digest of the weights alone.

    The metadata of the weights file hold the card too, so that the file alone can be used.
    """
    plain = {key: tensor.detach().cpu().contiguous() for key, tensor in weights.items()}
    data = save_tensors(plain, metadata={"card": json.dumps(card, sort_keys=True)})
    whole = ModelCard(**card, sha256=hashlib.sha256(data).hexdigest())
    storage.write(f"{model_folder(name)}/{WEIGHTS}", data)
    text = yaml.safe_dump(whole.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    storage.write(f"{model_folder(name)}/{CARD}", text.encode())
    return whole


def load_quality_model(source: str, device: str = "cpu") -> QualityModel:
    """Return the model of a run folder, a model or checkpoint folder, or a weights file (path or URL).

    A folder with the published `IQA.pt` and `DE.pt` is DSL-FIQA. A weights file is .safetensors, or .pth, .pt or .ckpt
    of torch; one without a card is a published checkpoint of CR-FIQA, MR-FIQA or ViT-FIQA, whose size and head its keys
    decide. `bundled-quality` is the one that ships with the package. Raises UserError, one sentence, when there is none
    or it is no quality model.
    """
    if source == BUNDLED_QUALITY:
        if not BUNDLED_FILE.is_file():
            raise UserError(
                "the bundled quality model is not in this installation; name a trained one with --model RUN, or make "
                "it with `synfiqa bootstrap --part quality`"
            )
        source = str(BUNDLED_FILE)
    if source.endswith(".safetensors"):
        folder, _, file = source.rpartition("/")
        return _from_weights(Storage(folder or "."), file, source, device)
    if source.endswith(TORCH_FILES):
        return _from_torch_file(source, device)
    storage = Storage(source)
    if all(storage.exists(file) for file in DSL_FILES):
        quality, encoder = (_read(storage, file, source) for file in DSL_FILES)
        return published_dsl(quality, encoder, source, device)
    if storage.exists(WEIGHTS):
        return _from_weights(storage, WEIGHTS, source, device)
    if storage.exists(STATE):
        return _from_state(storage, source, device)
    if storage.exists(MANIFEST):
        return load_quality_model(f"{source.rstrip('/')}/{model_folder(_only_model(storage, source))}", device)
    raise UserError(
        f"{source} is no run folder, model folder or .safetensors file; train a model with `synfiqa train` first"
    )


def load_trained(storage: Storage, name: str, device: str = "cpu") -> QualityModel:
    """Return the finished model of that name in a run; UserError when it has not been trained to the end."""
    path = f"{model_folder(name)}/{METRICS}"
    if not storage.exists(path):
        raise UserError(f"{storage.uri()} has no finished model named '{name}'; run `synfiqa train` first")
    return _from_weights(storage, f"{model_folder(name)}/{WEIGHTS}", storage.uri(model_folder(name)), device)


def _only_model(storage: Storage, source: str) -> str:
    finished = [PurePosixPath(path) for path in storage.list("models")]
    names = sorted(path.parts[1] for path in finished if len(path.parts) == 3 and path.name == METRICS)
    if not names:
        raise UserError(f"the run {source} has no finished model; run `synfiqa train` first")
    if len(names) > 1 and "default" not in names:
        raise UserError(f"the run {source} has several models ({', '.join(names)}); name the folder models/NAME of one")
    return "default" if "default" in names else names[0]


def _from_weights(storage: Storage, path: str, source: str, device: str) -> QualityModel:
    data = _read(storage, path, source)
    card = _card(data, source)
    if card is None:
        return published_model(load_tensors(data), source, hashlib.sha256(data).hexdigest(), device)
    beside = str(PurePosixPath(path).with_name(CARD))
    if PurePosixPath(path).name == WEIGHTS and storage.exists(beside):
        stated = str((yaml.safe_load(storage.read(beside)) or {}).get("sha256", ""))
        if stated != card.sha256:
            raise UserError(f"the weights of {source} differ from their card {CARD}; restore both from one training")
    if source == str(BUNDLED_FILE):
        card = with_scale(card)
    return _assemble(card, load_tensors(data), source, device)


def with_scale(card: ModelCard) -> ModelCard:
    """Return the card inside a copy of the bundled quality model with the scale of the card that ships with it."""
    # The scale was measured after the weights were published, and their file, which holds a card too, must not change.
    shipped = bundled()[BUNDLED_QUALITY].card
    return card.model_copy(update={"scale": shipped.scale}) if shipped.sha256 == card.sha256 else card


def read_model_file(source: str) -> bytes:
    """Return the content of a file at a path or URL; UserError when it cannot be read."""
    folder, _, file = source.rpartition("/")
    return _read(Storage(folder or "."), file, source)


def _read(storage: Storage, path: str, source: str) -> bytes:
    try:
        return storage.read(path)
    except OSError as error:
        raise UserError(f"the model file {source} cannot be read; check the path") from error


def _from_torch_file(source: str, device: str) -> QualityModel:
    data = read_model_file(source)
    if foreign := foreign_content(data):
        raise UserError(f"{source} {foreign}")
    try:
        content = parse_state(data)
    except Exception as error:  # torch.load raises many types on foreign files
        raise UserError(
            f"{source} is no torch checkpoint of plain tensors; save its state dict as safetensors"
        ) from error
    if not isinstance(content, dict):
        raise UserError(
            f"{source} holds a {type(content).__name__}, not a state dict; save state_dict() of the network"
        )
    return published_model(content, source, hashlib.sha256(data).hexdigest(), device)


def _card(data: bytes, source: str) -> ModelCard | None:
    """Return the card inside a weights file, None where there is none; UserError for one of no quality network."""
    if foreign := foreign_content(data):
        raise UserError(f"{source} {foreign}")
    try:
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        deserialize(data)
    except (SafetensorError, ValueError, UnicodeDecodeError) as error:
        raise UserError(f"{source} is no safetensors file; give the model.safetensors of a trained model") from error
    if "card" not in header.get("__metadata__", {}):
        return None
    try:
        fields = json.loads(header["__metadata__"]["card"])
        card = ModelCard(**{**fields, "sha256": hashlib.sha256(data).hexdigest()})
    except (TypeError, ValueError, ValidationError):
        card = None
    if card is None or card.architecture not in NETWORKS:
        raise UserError(f"{source} holds no quality model of this project; give one made by `synfiqa train`")
    return card


def _from_state(storage: Storage, source: str, device: str) -> QualityModel:
    data = storage.read(STATE)
    try:
        state = parse_state(data)
        card = ModelCard(**{**state["card"], "sha256": hashlib.sha256(data).hexdigest()})
        weights = state["best"]
    except Exception as error:  # torch.load raises many types on foreign files
        raise UserError(f"{source}/{STATE} is no checkpoint of `synfiqa train`; give another folder") from error
    return _assemble(card, weights, source, device)


def _assemble(card: ModelCard, weights: dict[str, Tensor], source: str, device: str) -> QualityModel:
    network = build_network(card)
    assert isinstance(network, FiqaNetwork)
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        cause = wrapping(weights)
        raise UserError(
            f"the weights of {source} do not fit the network on their card: {cause or 'train it again'}"
        ) from error
    require_finite(weights, source)
    kind = PortraitModel if card.architecture == PORTRAITS else QualityModel
    return kind(network, card, device)
