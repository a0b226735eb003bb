"""Builds networks and tokenizers of open_clip from configurations and local files, without downloads or remote code."""

import json
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import open_clip
from open_clip.coca_model import CoCa
from open_clip.model import CLIP, CustomTextCLIP
from open_clip.tokenizer import HFTokenizer, SimpleTokenizer
from torch import Tensor

type Towers = CLIP | CustomTextCLIP | CoCa
"""What `build_towers` returns; all have `visual`, `encode_image` and `encode_text`."""

type Tokenizer = Callable[[Sequence[str]], Tensor]
"""Maps captions to token ids (N, context)."""

TOKENIZER_OPTIONS = {"clean", "strip_sep_token", "language", "additional_special_tokens"}
"""Allowed tokenizer options; others could mask words at random, name other files or allow code."""


def published_config(name: str) -> dict[str, Any]:
    """Return a configuration that open_clip ships, such as `ViT-B-32`; ValueError for an unknown name."""
    if name not in open_clip.list_models():
        raise ValueError(f"open_clip has no model {name!r}: choose one of open_clip.list_models()")
    config: dict[str, Any] = open_clip.get_model_config(name)
    return config


def build_towers(config: Mapping[str, Any], text_tower: Path | None = None) -> Towers:
    """Return the untrained network of an open_clip configuration; ValueError or TypeError for an invalid one.

    `text_tower` is the local folder with `config.json` of a text tower that is one of transformers' models; the
    configuration itself only names a hub repository.
    """
    sections = deepcopy(dict(config))
    vision, text = sections["vision_cfg"], sections["text_cfg"]
    if ":" in (vision.get("timm_model_name") or ""):
        raise ValueError(
            f"image tower {vision['timm_model_name']} would be fetched; only timm's own models are allowed"
        )
    vision["timm_model_pretrained"] = text["hf_model_pretrained"] = False
    foreign = bool(text.get("hf_model_name"))
    if foreign:
        text["hf_model_name"] = str(_without_code(text_tower, text["hf_model_name"]))
    custom = sections.pop("custom_text", False) or foreign
    if "multimodal_cfg" not in sections:
        return (CustomTextCLIP if custom else CLIP)(**sections)
    coca = CoCa(**sections)
    # Cosines do not use the caption decoder.
    del coca.text_decoder
    return coca


def vocabulary_size(towers: Towers) -> int:
    """Return the number of token ids of the text tower."""
    size: int = (towers.text if isinstance(towers, CoCa) else towers).vocab_size
    return size


def build_tokenizer(config: Mapping[str, Any], folder: Path | None) -> Tokenizer:
    """Return the tokenizer of a configuration: open_clip's byte pairs, or the one whose files lie in the folder."""
    text = config["text_cfg"]
    options = text.get("tokenizer_kwargs") or {}
    unknown = sorted(options.keys() - TOKENIZER_OPTIONS)
    if unknown:
        raise ValueError(f"tokenizer options {', '.join(unknown)} are not allowed")
    context = text.get("context_length", 77)
    name = text.get("hf_tokenizer_name") or text.get("hf_model_name")
    if not name:
        return SimpleTokenizer(context_length=context, **options)
    if folder is None:
        raise ValueError(
            f"its captions need the tokenizer of {name}: put its files and the weights into one folder, name that as "
            "source"
        )
    _check_names_no_files(folder / "tokenizer_config.json")
    return HFTokenizer(
        str(folder),
        context_length=context,
        tokenizer_mode=text.get("tokenizer_mode"),
        local_files_only=True,
        trust_remote_code=False,
        **options,
    )


def _check_names_no_files(description: Path) -> None:
    content = json.loads(description.read_text(encoding="utf-8")) if description.exists() else {}
    if named := [key for key in ("vocab", "merges") if isinstance(content.get(key), str)]:
        # The library would open files outside the folder too, which no digest covers.
        raise ValueError(f"{description} names a file as {named[0]}: leave that out, and put the file beside it")


def _without_code(folder: Path | None, name: str) -> Path:
    if folder is None:
        raise ValueError(
            f"its text tower is {name}: put that model's config.json into a folder inside the source, name that folder "
            "in arguments.text_tower"
        )
    if "auto_map" in json.loads((folder / "config.json").read_text(encoding="utf-8")):
        raise ValueError(f"{folder}/config.json needs its own code (auto_map), which never runs: take another tower")
    return folder
