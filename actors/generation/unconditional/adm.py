"""Generates pseudo-identity portraits by the published unconditional pixel diffusion (ADM, FFHQ-256), one a seed."""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from pydantic import Field
from torch import Tensor

from synfiqa.actors.generation.unconditional.candidates import PixelMap, candidates
from synfiqa.actors.generation.unconditional.diffusion_chain import TRAINING_STEPS, Ancestral
from synfiqa.actors.model_store.card_files import arguments_of
from synfiqa.actors.model_store.execution import Execution
from synfiqa.actors.model_store.loading import build_network, load_network
from synfiqa.actors.model_store.network import COMPILED
from synfiqa.actors.nets.adm_unet import AdmUNet
from synfiqa.actors.roles import Candidate
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import CardPart, ModelCard


class AdmArguments(CardPart):
    """Card arguments of the sampler; all others describe the network."""

    steps: int = Field(100, ge=2, le=TRAINING_STEPS, description="of the 1,000 of the training chain; released: 100")
    pixels: PixelMap = Field("fixed", description="-1..1 to 0..255 for all alike, or stretched each (released)")
    compile: bool = Field(False, description="compile the network: a minute or two at start, for speed on a GPU")


PLAYER_ARGUMENTS = tuple(AdmArguments.model_fields)
"""Names of the card arguments of the sampler, not of the network."""


class AdmIdentityGenerator:
    """`IdentityGenerator` on `AdmUNet`: ancestral sampling with learned variance, noise of each image from its seed.

    Micro-batches have constant size, so that a portrait does not depend on those made with it.
    """

    def __init__(self, card: ModelCard, path: Path, running: Execution) -> None:
        """Load the weights of the card; UserError when they do not fit or the card gives another size."""
        self._arguments = settings_of(card)
        network = load_network(card, path)
        assert isinstance(network, AdmUNet), "the card's architecture is this network"
        self.card = card
        self.running = running
        self.chain = Ancestral(self._arguments.steps, device=running.device)
        self.network: Callable[[Tensor, Tensor], Tensor] = _placed(network, running)
        if self._arguments.compile:
            options = {**COMPILED, "fullgraph": True}
            self.network = torch.compile(self.network, **options)  # type: ignore[call-overload]
            self.chain.compile(**options)

    def generate(self, seeds: Sequence[int]) -> list[Candidate]:
        """Return one portrait (S, S, 3) per seed, in order; ValueError names seeds whose portrait is not finite."""
        return candidates(seeds, self.running.call_size, self._sample, self._arguments.pixels)

    def _sample(self, seeds: list[int]) -> Tensor:
        return self.chain.sample(self.network, seeds, self.card.input_size)


def _placed(network: AdmUNet, running: Execution) -> AdmUNet:
    network = network.to_precision(running.dtype).to(running.device)
    # Tensor cores need the channels-last layout.
    return network.to(memory_format=torch.channels_last) if running.device != "cpu" else network


def settings_of(card: ModelCard) -> AdmArguments:
    """Return the sampler's settings on a card; UserError when its sizes or arguments do not fit."""
    own = {key: value for key, value in card.arguments.items() if key in PLAYER_ARGUMENTS}
    arguments = arguments_of(card.model_copy(update={"arguments": own}), AdmArguments)
    with torch.device("meta"):
        network = build_network(card)
    if network.image_size != card.input_size:
        raise UserError(
            f"model '{card.name}': input_size is {card.input_size} but its network makes images of "
            f"{network.image_size} pixels: set both input_size and arguments.image_size to what the weights are for"
        )
    return arguments
