"""DSL-FIQA from its two published files, which come without a card."""

import hashlib
import io
from collections.abc import Mapping
from typing import Any

import torch

from synfiqa.actors.model_store.architectures.quality import PUBLISHED_DSL
from synfiqa.actors.model_store.checks.foreign_files import foreign_content
from synfiqa.actors.model_store.loading import build_network
from synfiqa.actors.model_store.state import fit_state, require_finite, state_dict_of
from synfiqa.actors.nets.fiqa.dsl.dsl_network import DslNetwork
from synfiqa.actors.quality.trained.portraits.portrait_crops import PUBLISHED
from synfiqa.actors.quality.trained.portraits.portrait_model import PortraitModel
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import ModelCard

DSL_FILES = ("IQA.pt", "DE.pt")
"""Quality network and degradation encoder, as the release names them."""
SIDE, PORTRAIT_SIDE = 384, 512
"""Published sides of crops and of portraits in pixels."""
_BRANCH = "embed_mlp."


def published_dsl(
    quality: bytes, encoder: bytes, source: str, device: str = "cpu", network: Mapping[str, Any] | None = None
) -> PortraitModel:
    """Return the network that both files hold, with 20 random crops as published; UserError where they do not fit.

    A key that is missing or of another shape is refused by name. `network` are arguments of `DslNetwork` in place of
    the published ones.
    """
    parts = [_content(data, f"{source}/{name}") for data, name in zip((quality, encoder), DSL_FILES, strict=True)]
    plain = [state_dict_of(part, PUBLISHED_DSL) for part in parts]
    state = plain[0] | plain[1]
    landmarks = "indices" if any(_BRANCH in key for key in state) else "none"
    arguments = {"landmarks": landmarks, **(network or {}), "crops": PUBLISHED, "portrait_side": PORTRAIT_SIDE}
    card = ModelCard(
        name="dsl-fiqa",
        role="quality",
        architecture="dsl-fiqa",
        arguments=arguments,
        sha256=hashlib.sha256(quality + encoder).hexdigest(),
        input_size=int(arguments.get("side", SIDE)),
        channels="rgb",
        value_range=(-1.0, 1.0),
        output="perceptual quality (N,), about 0..1",
        higher_is_better=True,
        licence="not stated by the release",
        commercial_use=False,
    )
    built = build_network(card)
    assert isinstance(built, DslNetwork)
    fit_state(built, state, PUBLISHED_DSL, source)
    require_finite(state, source)
    return PortraitModel(built.float(), card, device)


def _content(data: bytes, source: str) -> Mapping[str, Any]:
    if foreign := foreign_content(data):
        raise UserError(f"{source} {foreign}")
    try:
        content = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load raises many types on foreign files
        raise UserError(f"{source} is no torch checkpoint of plain tensors; save its state dict again") from error
    if not isinstance(content, Mapping):
        raise UserError(
            f"{source} holds a {type(content).__name__}, not a state dict; save state_dict() of the network"
        )
    return content
