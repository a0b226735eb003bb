"""Starts a quality network from the trunk of a recognition network."""

import re
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from synfiqa.actors.model_store.cache import locate
from synfiqa.actors.model_store.catalogue import Model
from synfiqa.actors.model_store.loading import load_network
from synfiqa.actors.nets.adaface import AdaFaceIR
from synfiqa.actors.nets.fiqa.compact import CompactNet
from synfiqa.actors.nets.fiqa.contract import FiqaNetwork
from synfiqa.actors.nets.fiqa.iresnet import FiqaIResNet
from synfiqa.actors.nets.insightface import IResNet
from synfiqa.actors.nets.quality_net import QualityNet
from synfiqa.actors.nets.small_iresnet import SmallIResNet
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import ModelCard

RANGE = (-1.0, 1.0)
"""Input of `FiqaIResNet`: RGB in this range."""

_LAYERS = {"0": "bn1", "1": "conv1", "2": "bn2", "3": "prelu", "4": "conv2", "5": "bn3"}
"""AdaFace's places in a residual block -> InsightFace's names."""
_OUTPUT = {"0": "bn2", "3": "fc", "4": "features"}
_INPUT = {"0": "conv1", "1": "bn1", "2": "prelu"}


def initialise_from_embedder(network: FiqaNetwork, embedder: Model) -> list[str]:
    """Copy the weights of a recognition network into the trunk of a quality network; return the keys, sorted.

    `FiqaIResNet` takes InsightFace's IResNet (ArcFace, MagFace) and AdaFace's IR of the same size with their embedding
    layer; the first layer is converted to RGB in -1..1 where the embedder takes BGR or another range, which is exact
    but for the outermost ring of pixels. `CompactNet` and `QualityNet` take a `SmallIResNet` of their input channels,
    widths and blocks. Head weights stay. UserError naming what differs, before anything is copied.
    """
    card = embedder.card
    if card.role != "embedder":
        raise UserError(f"model '{card.name}' plays the role {card.role}: name an embedder to start the network from")
    source = load_network(card, locate(embedder))
    return copy_trunk(network, source, card)


def copy_trunk(network: FiqaNetwork, source: nn.Module, card: ModelCard) -> list[str]:
    """Copy the trunk of a loaded recognition network with its card; see `initialise_from_embedder`."""
    trunk: Mapping[str, Tensor]
    if isinstance(network, FiqaIResNet) and isinstance(source, IResNet | AdaFaceIR):
        state = source.state_dict()
        trunk = _as_rgb(_renamed(state) if isinstance(source, AdaFaceIR) else dict(state), card)
    elif isinstance(network, CompactNet | QualityNet) and isinstance(source, SmallIResNet):
        trunk = {_small_key(key): value for key, value in source.state_dict().items()}
        if isinstance(network, QualityNet):
            trunk = {key: value for key, value in trunk.items() if not key.startswith(("project.", "norm."))}
    else:
        raise UserError(
            f"{type(network).__name__} cannot start from {card.name}, whose {type(source).__name__} is another kind of "
            "trunk: name an embedder of the same kind, or set train.initialise=random"
        )
    _require_fit(network, trunk, card)
    network.load_state_dict(trunk, strict=False)
    return sorted(trunk)


def _require_fit(network: FiqaNetwork, trunk: Mapping[str, Tensor], card: ModelCard) -> None:
    wanted = {
        key: value for key, value in network.state_dict().items() if not key.startswith(("qs.", "head.", "score."))
    }
    missing = [f"{key} is missing" for key in wanted if key not in trunk]
    left = [f"{key} has no place" for key in trunk if key not in wanted]
    shapes = [
        f"{key} is {list(value.shape)} instead of {list(wanted[key].shape)}"
        for key, value in trunk.items()
        if key in wanted and value.shape != wanted[key].shape
    ]
    if found := [*shapes, *missing, *left]:
        more = f" and {len(found) - 3} more" if len(found) > 3 else ""
        raise UserError(
            f"{type(network).__name__} cannot start from {card.name}: {'; '.join(found[:3])}{more}; choose an embedder "
            "of the same size, change the size of the network, or set train.initialise=random"
        )


def _small_key(key: str) -> str:
    """Return the key of the trunk of a small quality network."""
    return re.sub(r"^pool_norm\.", "pool.1.", re.sub(r"^pool\.", "pool.0.", key))


def _as_rgb(state: dict[str, Tensor], card: ModelCard) -> dict[str, Tensor]:
    """Return a trunk whose first convolution takes RGB in -1..1 in place of the card's channels and range."""
    if card.channels == "gray" or card.value_range is None:
        raise UserError(
            f"{card.name} takes {card.channels} faces, normalise {card.normalise}: name an embedder of RGB or BGR"
        )
    weight = state["conv1.weight"]
    if card.channels == "bgr":
        weight = weight.flip(1)
    (low, high), (own_low, own_high) = card.value_range, RANGE
    # Pixels x of RANGE are scale * x + shift in the card's range; the mean of the next normalisation takes the shift.
    scale = (high - low) / (own_high - own_low)
    shift = low - scale * own_low
    mean = state["bn1.running_mean"] - shift * weight.sum(dim=(1, 2, 3))
    return {**state, "conv1.weight": weight * scale, "bn1.running_mean": mean}


def _renamed(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return an AdaFace trunk under InsightFace's keys.

    Where AdaFace's first shortcut only subsamples, a 1 x 1 convolution by the identity matrix and a batch normalisation
    that changes nothing do the same; so does its last normalisation without scale, by scales of 1 and shifts of 0.
    """
    numbers = sorted({int(key.split(".")[1]) for key in state if key.startswith("body.")})
    names, stage, place = {}, 0, 0
    for number in numbers:
        # The first block begins stage 1; each other stage begins with a block that has more outputs than inputs.
        inputs = state[f"body.{number}.res_layer.0.weight"].shape[0]
        outputs = state[f"body.{number}.res_layer.5.weight"].shape[0]
        stage, place = (stage + 1, 0) if number == 0 or outputs != inputs else (stage, place + 1)
        names[number] = f"layer{stage}.{place}"
    renamed: dict[str, Tensor] = {}
    for key, value in state.items():
        parts = key.split(".")
        if parts[0] == "input_layer":
            renamed[f"{_INPUT[parts[1]]}.{parts[2]}"] = value
        elif parts[0] == "output_layer":
            renamed[f"{_OUTPUT[parts[1]]}.{parts[2]}"] = value
        elif parts[2] == "res_layer":
            renamed[f"{names[int(parts[1])]}.{_LAYERS[parts[3]]}.{parts[4]}"] = value
        else:
            renamed[f"{names[int(parts[1])]}.downsample.{parts[3]}.{parts[4]}"] = value
    width = renamed["conv1.weight"].shape[0]
    neutral = nn.BatchNorm2d(width)
    neutral.running_var = torch.full((width,), 1 - neutral.eps)
    identity = torch.eye(width)[:, :, None, None]
    first = {"0.weight": identity, **{f"1.{key}": value for key, value in neutral.state_dict().items()}}
    renamed |= {f"layer1.0.downsample.{key}": value for key, value in first.items()}
    size = renamed["features.running_mean"].shape[0]
    return renamed | {"features.weight": torch.ones(size), "features.bias": torch.zeros(size)}
