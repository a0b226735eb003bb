"""Builds the network, or the object that plays the role, of a card and its weights."""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from synfiqa.actors.model_store.architectures.table import architecture_of, load
from synfiqa.actors.model_store.checks.foreign_files import wrapping
from synfiqa.actors.model_store.execution import Execution
from synfiqa.actors.model_store.state import fit_state, read_state, state_dict_of
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import RANDOM, ModelCard, StateRules


def build_network(card: ModelCard) -> nn.Module:
    """Return the untrained network that a card describes; UserError when its arguments do not fit."""
    architecture = architecture_of(card)
    arguments = {key: value for key, value in card.arguments.items() if key not in architecture.player_arguments}
    try:
        network = load(architecture.network)(**arguments)
    except (TypeError, ValueError) as error:
        raise UserError(
            f"model '{card.name}': arguments {arguments} do not fit {card.architecture} ({error})"
        ) from error
    assert isinstance(network, nn.Module)
    return network


def check_card(card: ModelCard) -> None:
    """Raise UserError for a card whose settings its player would refuse; no weights are read."""
    architecture = architecture_of(card)
    if architecture.fits:
        load(architecture.fits)(card)
    elif architecture.network:
        with torch.device("meta"):
            build_network(card)


def load_network(card: ModelCard, path: Path) -> nn.Module:
    """Return the network with the weights of the file in it, in float32, ready to evaluate."""
    architecture = architecture_of(card)
    rules = rules_for(card, architecture.rules)
    with torch.device("meta"):
        skeleton = build_network(card)
    # Skips the initialisation where the checkpoint fills every tensor.
    filled = not rules.allow_missing and _all_stored(skeleton)
    network = skeleton.to_empty(device="cpu") if filled else _initialised(card)
    read = load(architecture.reader) if architecture.reader else read_state
    content, source = read(path), f"model '{card.name}' ({path.name})"
    state = state_dict_of(content, rules)
    if not state and (cause := wrapping(content)):
        raise UserError(f"{source} holds no tensor that the state rules take: {cause}")
    fit_state(network, state, rules, source)
    return network.float().eval().requires_grad_(False)


def rules_for(card: ModelCard, published: StateRules) -> StateRules:
    """Return the rules by which a checkpoint is read: the card's, else those of the published checkpoint.

    A rehearsal has the keys of the network, which published rules leave alone; rules on its card are for the
    checkpoint that it stands for.
    """
    return published if card.source.startswith(RANDOM) else card.state or published


def play(card: ModelCard, path: Path, running: Execution | None = None) -> Any:
    """Return the object that plays the card's role, ready to use (see `synfiqa.actors.roles`)."""
    return load(architecture_of(card).player)(card, path, running or Execution())


def _initialised(card: ModelCard) -> nn.Module:
    # Buffers that the checkpoint lacks keep their initial values, which must be equal in every process.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return build_network(card)


def _all_stored(module: nn.Module) -> bool:
    """Whether the state dict covers all that the module computes with, so that no constructor's value is needed."""
    stored = module.state_dict().keys()
    return all(name in stored for name, _ in (*module.named_parameters(), *module.named_buffers()))
