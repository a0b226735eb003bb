"""The untrained network of a training, and its card."""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from synfiqa.actors.model_store.catalogue import Model
from synfiqa.actors.model_store.checks.network_cost import gflop
from synfiqa.actors.model_store.state import read_state
from synfiqa.actors.nets.fiqa.table import TRAINABLE, TrainableNetwork
from synfiqa.actors.quality.trained.initialise import initialise_from_embedder
from synfiqa.schemas.config.train_config import TrainSection
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.seeds import derive_seed

RANDOM = "random"
"""Value of `train.initialise` without an embedder."""
SCALED = ("quality-net", "compact")
"""Networks whose widths follow `train.width`."""
_LABEL = "quality score (N,), about 0..1 on the label's scale, unbounded"
_RATIO = "quality score (N,), about -1..1 on the scale of CCS / (NNCCS + 1), unbounded"
OUTPUTS = {
    "label_regression": _LABEL,
    "mr_fiqa": _LABEL,
    "distil": "quality score (N,), about 0..1 on the scale of the teacher's scores, unbounded",
    "cr_fiqa": _RATIO,
    "vit_fiqa": _RATIO,
    "dsl_fiqa": "quality score (N,) of crops of portraits, about 0..1 on the scale of the training scores, unbounded",
}
"""Output of the network of each method."""


def settings_of(section: TrainSection, initial: Model | None) -> dict[str, Any]:
    """Return the arguments that a training gives to its network beside the defaults of the table.

    quality-net and compact take widths and blocks from the embedder that they start from, else from `train.width`;
    UserError when that embedder has none. `mr_fiqa` has the label head where a network has two.
    """
    if section.network in SCALED:
        if initial is None:
            return {"widths": [section.width * factor for factor in (1, 2, 4, 6)]}
        arguments = initial.card.arguments
        if initial.card.role != "embedder" or not {"widths", "blocks"} <= arguments.keys():
            raise UserError(
                f"train.network={section.network} cannot start from {initial.name}, whose trunk differs: set "
                "train.initialise=random"
            )
        return {"widths": list(arguments["widths"]), "blocks": list(arguments["blocks"])}
    if section.method == "dsl_fiqa":
        own = {} if section.dsl.landmarks == "as_built" else {"landmarks": section.dsl.landmarks}
        return own | {"queries": section.dsl.queries}
    if section.network.startswith("iresnet"):
        return {"head": "label" if section.method == "mr_fiqa" else "linear"}
    return {}


def build_network(section: TrainSection, initial: Model | None, seed: int) -> nn.Module:
    """Return the untrained network, its random part fixed by the seed; UserError when `initial` does not fit it."""
    torch.manual_seed(derive_seed(seed, "train", "weights"))
    network = kind_of(section).build(**settings_of(section, initial))
    if initial is not None:
        initialise_from_embedder(network, initial)
    if section.dsl.backbone:
        _load_backbone(network, Path(section.dsl.backbone))
    return network


def _load_backbone(network: nn.Module, path: Path) -> None:
    """Copy the blocks that are read from a state dict of timm's vit_base_patch16_384."""
    if not path.is_file():
        raise UserError(
            f"train.dsl.backbone={path} is no file: name a state dict of vit_base_patch16_384, or leave it out"
        )
    vit: nn.Module = network.backbone.vit  # type: ignore[union-attr, assignment]
    wanted = vit.state_dict()
    found = {key: value for key, value in read_state(path).items() if key in wanted}
    bad = sorted(key for key, value in wanted.items() if key not in found or found[key].shape != value.shape)
    if bad:
        raise UserError(
            f"train.dsl.backbone={path} lacks {bad[0]} in the shape of vit_base_patch16_384: save its state_dict()"
        )
    vit.load_state_dict(found)


def kind_of(section: TrainSection) -> TrainableNetwork:
    """Return the row of the network that a training has."""
    return TRAINABLE[section.network]


def describe(
    section: TrainSection, initial: Model | None, origin: str, *, commercial: bool = True, licences: str = ""
) -> dict[str, Any]:
    """Return the model card of the network to train, without the digest of its weights.

    `origin` says what it is trained on, `commercial` whether all that made images and labels allows commercial use,
    `licences` names sources of another licence.
    """
    kind, settings = kind_of(section), settings_of(section, initial)
    network = kind.build(**settings).eval()
    start = "random weights" if initial is None else f"the trunk of {initial.name}"
    arithmetic = "" if section.precision == "float32" else f", forward passes in {section.precision}"
    method = "" if section.method == "label_regression" else f", by {section.method}"
    shape = (
        (1, kind.input_size, kind.input_size) if kind.channels == "gray" else (1, 3, kind.input_size, kind.input_size)
    )
    return {
        "name": section.name,
        "role": "quality",
        **kind.card_fields(),
        "arguments": network.arguments,
        "output": OUTPUTS[section.method],
        "higher_is_better": True,
        "licence": "that of the labels and of the initial weights" + licences,
        "commercial_use": commercial and (initial is None or initial.card.commercial_use),
        "trained_on": f"{origin}, started from {start}{method}{arithmetic}",
        "command": "synfiqa train",
        "cost_gflop": round(gflop(network, torch.zeros(shape)), 4),
    }
