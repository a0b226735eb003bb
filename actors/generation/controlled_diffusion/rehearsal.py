"""Writes random weights under the published names: the files of the released archive, in a card's size."""

import json
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from synfiqa.actors.generation.controlled_diffusion import published_keys as keys
from synfiqa.actors.generation.controlled_diffusion.arguments import DiffusionArguments
from synfiqa.actors.generation.controlled_diffusion.ddim import TRAINING_STEPS
from synfiqa.actors.generation.controlled_diffusion.layout import LATENT_SCALE, LAYOUTS, Config, Layout
from synfiqa.actors.generation.controlled_diffusion.prompts import PromptBook
from synfiqa.actors.generation.controlled_diffusion.text import FILES, MARKS
from synfiqa.actors.generation.controlled_diffusion.weights import (
    DIFFUSERS_WEIGHTS,
    SCHEDULE,
    TRANSFORMERS_WEIGHTS,
    Networks,
    skeletons,
    tables,
)
from synfiqa.actors.model_store.card_files import CHECKPOINTS, arguments_of
from synfiqa.actors.model_store.rehearsal import random_state
from synfiqa.schemas.model_card import ModelCard
from synfiqa.schemas.seeds import derive_seed

_GAINS = {
    "hint.*weight": 2.2,
    "hint.*bias": 0.0,
    "mask.bias": 0.0,
    "*attn2.to_v.weight": 4.0,
    "*attn2.to_out.0.weight": 4.0,
    "encoder.controlnet_*weight": 4.0,
    "id_linear.weight": 20.0,
}
"""Gains of random weights: the mask must lie on the rendered head, images must depend on geometry, identity, text."""

PROMPTS = Path(__file__).with_name("rehearsal_prompts.json")
"""File of the texts whose words a rehearsed tokenizer holds whole, frozen: rewording the defaults of `PromptBook`
must not change the tokenizer of random weights that nodes have in their caches."""


def write_random(card: ModelCard, folder: Path, seed: int) -> None:
    """Write control module, Stable Diffusion and CLIP with random weights into the folder.

    Stable Diffusion becomes one file where the card names one, else a folder of diffusers' layout.
    """
    arguments = arguments_of(card, DiffusionArguments)
    layout = LAYOUTS[arguments.size]
    folder.mkdir(parents=True, exist_ok=True)
    with torch.device("meta"):
        networks = skeletons(layout)
    unet, control, decoder = tables(layout)
    _save(_added(networks, keys.reverse(control), seed), folder / arguments.control)
    state = {name: _state(module, name, seed) for name, module in _base(networks).items()}
    # By suffix, because `sd-v1.5` is a folder.
    if Path(arguments.stable_diffusion).suffix in CHECKPOINTS:
        single = _prefixed(keys.renamed(state["unet"], keys.reverse(unet)), keys.UNET)
        single |= _prefixed(keys.renamed(state["vae"], keys.reverse(decoder)), keys.DECODER)
        single |= _prefixed(state["text"], f"{keys.TEXT}text_model.")
        _save(single, folder / arguments.stable_diffusion)
    else:
        _write_diffusers(folder / arguments.stable_diffusion, layout, state)
    vision = _prefixed(_state(_inner(networks.vision, "vision_model"), "vision", seed), "vision_model.")
    towers = {"model_type": "clip", "text_config": layout.text, "vision_config": layout.vision}
    _write_part(folder / arguments.clip, towers, vision | _prefixed(state["text"], "text_model."), TRANSFORMERS_WEIGHTS)
    write_tokenizer(folder / arguments.clip, layout.text["vocab_size"], arguments.prompts)


def write_tokenizer(folder: Path, size: int, book: PromptBook) -> None:
    """Write a byte-level vocabulary of `size` tokens with as many whole words of the prompts as fit."""
    folder.mkdir(parents=True, exist_ok=True)
    letters = _letters()
    words = [*letters, *(f"{letter}</w>" for letter in letters)]
    merges: list[str] = []
    room = size - len(MARKS)
    texts = " ".join(_frozen_texts(book)).lower()
    for word in sorted({"".join(c for c in one if c.isalpha() and c.isascii()) for one in texts.split()} - {""}):
        pieces = [*word[:-1], f"{word[-1]}</w>"]
        grown = pieces[0]
        for piece in pieces[1:]:
            if grown + piece not in words and len(words) < room:
                merges.append(f"{grown} {piece}")
                words.append(grown + piece)
            grown += piece
    words += [f"unused{index}</w>" for index in range(room - len(words))]
    vocabulary = {word: index for index, word in enumerate([*words, *MARKS])}
    (folder / FILES[0]).write_text(json.dumps(vocabulary, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / FILES[1]).write_text("\n".join(["#version: 0.2", *merges]) + "\n", encoding="utf-8")


def _frozen_texts(book: PromptBook) -> list[str]:
    """Return the frozen texts, in which those that the card states replace their like."""
    frozen = PromptBook(**json.loads(PROMPTS.read_text(encoding="ascii")))
    return [frozen.reference, *frozen.model_copy(update=book.model_dump(exclude_unset=True)).all_prompts()]


def _base(networks: Networks) -> dict[str, nn.Module]:
    return {"unet": networks.unet, "vae": networks.decoder, "text": _inner(networks.text, "text_model")}


def _added(networks: Networks, table: keys.Table, seed: int) -> dict[str, Tensor]:
    branch = keys.renamed(_state(networks.control, "control", seed), table)
    return _prefixed(branch, keys.CONTROL) | _state(networks.context, "context", seed)


def _write_diffusers(folder: Path, layout: Layout, state: dict[str, dict[str, Tensor]]) -> None:
    vae = {**layout.vae, "scaling_factor": LATENT_SCALE}
    _write_part(folder / "unet", layout.unet, state["unet"], DIFFUSERS_WEIGHTS)
    _write_part(folder / "vae", vae, state["vae"], DIFFUSERS_WEIGHTS)
    text = _prefixed(state["text"], "text_model.")
    _write_part(folder / "text_encoder", layout.text, text, TRANSFORMERS_WEIGHTS)
    _write_json(folder / "scheduler" / "scheduler_config.json", {**SCHEDULE, "num_train_timesteps": TRAINING_STEPS})


def _write_part(folder: Path, config: Config, state: dict[str, Tensor], names: tuple[str, ...]) -> None:
    _write_json(folder / "config.json", config)
    _save(state, folder / names[0])


def _write_json(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _save(state: dict[str, Tensor], path: Path) -> None:
    if path.suffix == ".safetensors":
        save_file(state, path, metadata={"format": "pt"})
    else:
        torch.save(state, path)


def _state(module: nn.Module, name: str, seed: int) -> dict[str, Tensor]:
    state = random_state(module, derive_seed(seed, name))
    for key, value in state.items():
        for pattern, gain in _GAINS.items():
            if fnmatchcase(key, pattern):
                value *= gain
    return state


def _inner(tower: nn.Module, name: str) -> nn.Module:
    inner = getattr(tower, name, tower)
    assert isinstance(inner, nn.Module)
    return inner


def _prefixed(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {prefix + key: value for key, value in state.items()}


def _letters() -> list[str]:
    """Return the character of each of 256 bytes in byte-level vocabularies: itself if it is printable."""
    prints = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in prints]
    return [chr(byte) for byte in prints] + [chr(256 + index) for index in range(len(others))]
