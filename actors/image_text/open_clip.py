"""Runs any model of open_clip as image-text model, from a weights file or a folder in the layout of its hub."""

import json
from pathlib import Path
from typing import Any

import torch
from open_clip.convert import convert_state_dict
from open_clip.model import CLIP, convert_to_custom_text_state_dict
from safetensors.torch import save_file
from torch import Tensor

from synfiqa.actors.image_text.dual_encoder import DualEncoder, check_input, mean_and_deviation
from synfiqa.actors.model_store.card_files import only_checkpoint, side_path
from synfiqa.actors.model_store.execution import Execution
from synfiqa.actors.model_store.loading import rules_for
from synfiqa.actors.model_store.rehearsal import random_state
from synfiqa.actors.model_store.state import fit_state, read_state, state_dict_of
from synfiqa.actors.nets.open_clip_towers import (
    Tokenizer,
    Towers,
    build_tokenizer,
    build_towers,
    published_config,
    vocabulary_size,
)
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import ModelCard, StateRules

CONFIG = "open_clip_config.json"
WEIGHTS = (
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.safetensors",
    "open_clip_pytorch_model.bin",
    "model.safetensors",
)
"""Files of a folder that may hold its weights, the first that is there."""

_DESCRIBING, _NAMED = {"model", "config"}, {"tokenizer", "text_tower"}

SCALES = ("logit_scale", "logit_bias")
"""Tensors of training logits only, whose shapes differ between files; cosines do not use them, so none is loaded."""
RULES = StateRules(
    unwrap=("state_dict",),
    strip=("module.",),
    allow_unexpected=(
        *("input_resolution", "context_length", "vocab_size"),
        "text.transformer.*position_ids",
        "text_decoder.*",
    ),
)


class OpenClipImageText(DualEncoder):
    """A dual encoder of open_clip; its own towers and timm's, or a text tower of transformers with local files.

    Card arguments: `model` (a name of open_clip) or `config` (a dictionary such as the name stands for)
    describe a weights file, or a folder without `open_clip_config.json`; `tokenizer` and `text_tower` name folders
    inside that folder with files of transformers, where a model needs them.
    """

    def __init__(self, card: ModelCard, path: Path, running: Execution) -> None:
        """Load weights and tokenizer; UserError when a part is missing, damaged or disagrees with the card."""
        folder = path if path.is_dir() else None
        by_card = folder is None or (not (folder / CONFIG).exists() and bool(card.arguments.keys() & _DESCRIBING))
        config = _card_config(card) if folder is None or by_card else _folder_config(card, folder)
        self.clip, self.tokenizer = _built(card, config, folder)
        check_input(card, path, size=self.clip.visual.image_size)
        weights = _weights(card, folder, described=not by_card) if folder else path
        _load(self.clip, card, weights)
        super().__init__(card, self.clip, running)

    def image_features(self, inputs: Tensor) -> Tensor:
        """Return features (N, D) of network inputs (N, 3, S, S), of any length."""
        features: Tensor = self.clip.encode_image(inputs)
        return features

    def text_features(self, caption: str) -> Tensor:
        """Return features (1, D) of a caption cut to the context of the text tower, of any length."""
        tokens = self.tokenizer([caption])
        known = vocabulary_size(self.clip)
        if tokens.max() >= known:
            raise UserError(
                f"model '{self.name}': its tokenizer makes ids up to {int(tokens.max())} but the text tower has "
                f"{known}: it is not the tokenizer of these weights"
            )
        features: Tensor = self.clip.encode_text(tokens.to(self._network.running.device))
        return features


def write_random(card: ModelCard, folder: Path, seed: int) -> None:
    """Write a folder of open_clip's hub layout with random weights, for the card's `model` or `config`."""
    config = _card_config(card)
    text = config.get("text_cfg")
    foreign = isinstance(text, dict) and (text.get("hf_model_name") or text.get("hf_tokenizer_name"))
    if foreign or card.arguments.keys() & _NAMED:
        raise UserError(
            f"model '{card.name}' needs files of {foreign or 'others'} beside its weights, which no rehearsal makes: "
            "name a real source"
        )
    with torch.device("meta"):
        clip = _built(card, config, None)[0]
    mean, std = mean_and_deviation(card)
    images = {"mean": mean, "std": std, "interpolation": card.resize, "resize_mode": "squash"}
    folder.mkdir(parents=True, exist_ok=True)
    save_file(random_state(clip, seed), folder / WEIGHTS[0])
    described = json.dumps({"model_cfg": config, "preprocess_cfg": images}, indent=2)
    (folder / CONFIG).write_text(described + "\n", encoding="utf-8")


def _card_config(card: ModelCard) -> dict[str, Any]:
    arguments = card.arguments
    if ("model" in arguments) == ("config" in arguments):
        raise UserError(
            f"model '{card.name}': arguments must hold either model, such as ViT-B-32, or config for a weights file"
        )
    try:
        return published_config(arguments["model"]) if "model" in arguments else dict(arguments["config"])
    except (ValueError, TypeError) as error:
        raise UserError(f"model '{card.name}': {error}") from error


def _folder_config(card: ModelCard, folder: Path) -> dict[str, Any]:
    path = folder / CONFIG
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        config, images = dict(content["model_cfg"]), dict(content.get("preprocess_cfg") or {})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path} describes no open_clip model ({type(error).__name__}: {error}): fetch the whole folder again"
        ) from error
    # Files without a method, or with `random`, which is for training, mean open_clip's default: bicubic.
    resize = images.get("interpolation") or "bicubic"
    resize = "bicubic" if resize == "random" else str(resize)
    check_input(card, path, mean=images.get("mean"), std=images.get("std"), resize=resize)
    return config


def _built(card: ModelCard, config: dict[str, Any], folder: Path | None) -> tuple[Towers, Tokenizer]:
    unknown = sorted(card.arguments.keys() - _DESCRIBING - _NAMED)
    if unknown:
        raise UserError(
            f"model '{card.name}': open-clip takes model, config, tokenizer and text_tower, not {', '.join(unknown)}"
        )
    named = {key: _named(card, folder, key) for key in sorted(card.arguments.keys() & _NAMED)}
    text_tower = named.get("text_tower")
    try:
        clip = build_towers(config, text_tower)
        tokenizer = build_tokenizer(config, named.get("tokenizer") or text_tower or folder)
    except (ValueError, TypeError, KeyError, AttributeError, OSError, RuntimeError, AssertionError) as error:
        raise UserError(f"model '{card.name}': open_clip cannot build it ({' '.join(str(error).split())})") from error
    return clip, tokenizer


def _named(card: ModelCard, folder: Path | None, argument: str) -> Path:
    if folder is None:
        raise UserError(
            f"model '{card.name}': arguments.{argument} names files beside the weights, which no digest covers: put "
            "them and the weights into one folder and name that as its source"
        )
    path = side_path(card, folder, card.arguments[argument], f"arguments.{argument}")
    if not path.is_dir():
        raise UserError(f"model '{card.name}': arguments.{argument} must name a folder, which {path} is not")
    return path


def _weights(card: ModelCard, folder: Path, *, described: bool) -> Path:
    for name in WEIGHTS:
        if (folder / name).is_file():
            return folder / name
    if not described:
        return only_checkpoint(card, folder)
    raise UserError(f"{folder} holds no weights: one of {', '.join(WEIGHTS)} must lie there")


def _load(clip: Towers, card: ModelCard, weights: Path) -> None:
    rules = rules_for(card, RULES)
    state = state_dict_of(read_state(weights), rules)
    # Tensor names of other publishers, and of open_clip before its text tower was a module.
    state = convert_state_dict(clip, state)
    if not isinstance(clip, CLIP):
        state = convert_to_custom_text_state_dict(state)
    own = clip.state_dict()
    state = {key: value for key, value in state.items() if key not in SCALES}
    state |= {key: own[key] for key in SCALES if key in own}
    fit_state(clip, state, rules, f"model '{card.name}' ({weights.name})")
