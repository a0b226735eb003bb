"""Loads checkpoints into the networks of the conditional diffusion model; unexpected keys are errors.

As released, the control module's file is read first and Stable Diffusion's is put on top: a part of Stable Diffusion
comes from its own file, else from that of the control module; the image encoder comes from the control module's file,
else from CLIP's folder, which is also the last fallback for the text encoder.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPVisionModel

from synfiqa.actors.generation.controlled_diffusion import published_keys as keys
from synfiqa.actors.generation.controlled_diffusion.arguments import DiffusionArguments
from synfiqa.actors.generation.controlled_diffusion.control_net import ControlBranch
from synfiqa.actors.generation.controlled_diffusion.ddim import BETA_END, BETA_START
from synfiqa.actors.generation.controlled_diffusion.identity_context import IdentityContext
from synfiqa.actors.generation.controlled_diffusion.layout import (
    LATENT_CHANNELS,
    LAYOUTS,
    Config,
    LatentDecoder,
    Layout,
    empty,
    image_encoder_of,
    text_encoder_of,
    unet_of,
)
from synfiqa.actors.model_store.state import fit_state, read_state, state_dict_of
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import StateRules

DIFFUSERS_WEIGHTS = ("diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.bin")
TRANSFORMERS_WEIGHTS = ("model.safetensors", "pytorch_model.bin")
"""Files of a folder that may hold its weights, the first that is there."""
SCHEDULE = {
    "prediction_type": "epsilon",
    "beta_schedule": "scaled_linear",
    "beta_start": BETA_START,
    "beta_end": BETA_END,
}
"""Entries that a folder's scheduler must agree with, where it has them."""

State = Mapping[str, Tensor]
_STABLE_DIFFUSION = (keys.UNET, keys.DECODER, keys.TEXT)
_ADDED = (keys.CONTROL, keys.ID_LINEAR, keys.IMAGE_LINEAR, keys.VISION)
_UNWRAP = StateRules(unwrap=("state_dict",))


@dataclass
class Networks:
    """All networks from prompt, portrait and control map to the image, in float32 on the CPU."""

    unet: nn.Module
    control: ControlBranch
    context: IdentityContext
    decoder: LatentDecoder
    text: CLIPTextModel
    vision: CLIPVisionModel


def skeletons(layout: Layout) -> Networks:
    """Return the untrained networks on the current default device; UserError when they do not fit together."""
    width, channels = layout.unet.get("cross_attention_dim"), layout.unet.get("in_channels", LATENT_CHANNELS)
    if width != layout.text.get("hidden_size") or channels != layout.vae.get("latent_channels", LATENT_CHANNELS):
        raise UserError(
            f"the U-Net attends to text of width {width} and has {channels} input channels, but the text encoder's "
            f"width is {layout.text.get('hidden_size')} and latents have {layout.vae.get('latent_channels')} channels: "
            "take all parts from one Stable Diffusion 1.5"
        )
    try:
        unet = unet_of(layout.unet)
        return Networks(
            unet,
            ControlBranch(unet),
            IdentityContext(layout.vision["hidden_size"], layout.unet["cross_attention_dim"]),
            LatentDecoder(layout.vae),
            text_encoder_of(layout.text),
            image_encoder_of(layout.vision),
        )
    except (ValueError, TypeError, KeyError, AttributeError, RuntimeError) as error:
        raise UserError(f"the configurations describe no Stable Diffusion 1.5 ({_line(error)})") from error


def load_networks(folder: Path, arguments: DiffusionArguments) -> Networks:
    """Return the networks with their weights in them; UserError names file and keys of every error."""
    files = {name: folder / name for name in (arguments.stable_diffusion, arguments.control, arguments.clip)}
    for path in files.values():
        if not path.exists():
            raise UserError(f"{path} is missing: put it there or name what is there in the card's arguments")
    base, control, clip = files.values() if len(files) == 3 else _shared_paths(folder, arguments)
    layout = read_layout(base, clip, arguments)
    with torch.device("meta"):
        networks = skeletons(layout)
    added = _read(control)
    _check_prefixes(added, (*_ADDED, *_STABLE_DIFFUSION), control.name)
    _fill_added(networks, added, layout, clip, control.name)
    whole = _folder_parts(base, layout) if base.is_dir() else _file_parts(base, layout, merged=base == control)
    _fill_stable_diffusion(networks, whole, added, layout, clip, base.name)
    for module in vars(networks).values():
        module.float().eval().requires_grad_(False)
    return networks


def read_layout(base: Path, clip: Path, arguments: DiffusionArguments) -> Layout:
    """Return the configurations that folders state, and for a single file those of the card's size."""
    towers = _json(clip / "config.json")
    text, vision = (_tower_config(towers, kind, clip) for kind in ("text", "vision"))
    if not base.is_dir():
        known = LAYOUTS[arguments.size]
        return Layout(known.unet, known.vae, text, vision)
    schedule = base / "scheduler" / "scheduler_config.json"
    if schedule.exists():
        stated = _json(schedule)
        for entry, value in SCHEDULE.items():
            if stated.get(entry, value) != value:
                raise UserError(
                    f"{schedule} has {entry} {stated[entry]!r} but must have {value!r}: take a Stable Diffusion 1.5"
                )
    own = base / "text_encoder" / "config.json"
    text = _tower_config(_json(own), "", own.parent) if own.exists() else text
    return Layout(_json(base / "unet" / "config.json"), _json(base / "vae" / "config.json"), text, vision)


def tables(layout: Layout) -> tuple[keys.Table, keys.Table, keys.Table]:
    """Return the tables of published names of U-Net, control branch and decoder."""
    levels, layers = len(layout.unet["block_out_channels"]), layout.unet.get("layers_per_block", 2)
    decoder = keys.decoder_table(len(layout.vae["block_out_channels"]), layout.vae.get("layers_per_block", 2))
    attends = (level > 0 for level in range(levels))
    return keys.unet_table(levels, layers, attends), keys.control_table(levels, layers), decoder


def _fill_added(networks: Networks, added: State, layout: Layout, clip: Path, source: str) -> None:
    branch = keys.renamed(keys.part_of(added, keys.CONTROL), tables(layout)[1])
    networks.control = _filled(networks.control, branch, f"{keys.CONTROL}* of {source}")
    maps = {key: value for key, value in added.items() if key.startswith((keys.ID_LINEAR, keys.IMAGE_LINEAR))}
    networks.context = _filled(networks.context, maps, f"{keys.ID_LINEAR}* and {keys.IMAGE_LINEAR}* of {source}")
    vision, source = keys.part_of(added, keys.VISION), f"{keys.VISION}* of {source}"
    if not vision:
        found = _weights(clip, TRANSFORMERS_WEIGHTS)
        vision, source = {k: v for k, v in _read(found).items() if k.startswith("vision_model.")}, str(found)
    _fill_tower(networks.vision, vision, "vision_model", source)


def _file_parts(path: Path, layout: Layout, *, merged: bool) -> dict[str, dict[str, Tensor]]:
    """Return the parts of a single file under the names of diffusers; `merged`: it is also the control module's."""
    state = _read(path)
    _check_prefixes(state, (*_STABLE_DIFFUSION, *(_ADDED if merged else ())), path.name)
    return _named_parts(state, layout)


def _named_parts(state: State, layout: Layout) -> dict[str, dict[str, Tensor]]:
    unet, _, decoder = tables(layout)
    parts = {prefix: keys.part_of(state, prefix) for prefix in _STABLE_DIFFUSION}
    parts[keys.UNET] = keys.renamed(parts[keys.UNET], unet)
    parts[keys.DECODER] = keys.renamed(parts[keys.DECODER], decoder)
    return parts


def _folder_parts(folder: Path, layout: Layout) -> dict[str, dict[str, Tensor]]:
    unet, vae = (_read(_weights(folder / part, DIFFUSERS_WEIGHTS)) for part in ("unet", "vae"))
    text = folder / "text_encoder"
    return {
        keys.UNET: dict(unet),
        keys.DECODER: keys.renamed(vae, keys.DIFFUSERS_OLD),
        keys.TEXT: dict(_read(_weights(text, TRANSFORMERS_WEIGHTS))) if text.is_dir() else {},
    }


def _fill_stable_diffusion(
    networks: Networks, parts: dict[str, dict[str, Tensor]], added: State, layout: Layout, clip: Path, source: str
) -> None:
    fallback = _named_parts(added, layout)
    found = {prefix: parts[prefix] or fallback[prefix] for prefix in _STABLE_DIFFUSION}
    networks.unet = _filled(networks.unet, found[keys.UNET], f"{keys.UNET}* of {source}")
    unused = ("encoder.*", "quant_conv.*", "loss.*")
    networks.decoder = _filled(networks.decoder, found[keys.DECODER], f"{keys.DECODER}* of {source}", unused)
    text, source = found[keys.TEXT], f"{keys.TEXT}* of {source}"
    if not text:
        file = _weights(clip, TRANSFORMERS_WEIGHTS)
        text, source = {k: v for k, v in _read(file).items() if k.startswith("text_model.")}, str(file)
    _fill_tower(networks.text, text, "text_model", source)


def _fill_tower(tower: nn.Module, state: State, name: str, source: str) -> None:
    # Whether the tower is inside a module of this name depends on the library's version; in checkpoints it is.
    inner = {key.removeprefix(f"{name}."): value for key, value in state.items()}
    _filled(getattr(tower, name, tower), inner, source)


def _filled[Network: nn.Module](module: Network, state: State, source: str, unused: Iterable[str] = ()) -> Network:
    empty(module)
    wanted = module.state_dict()
    # Some checkpoints have attention as 1 x 1 convolutions, which are linear maps here.
    shaped = {
        key: value.flatten(1) if key in wanted and value.ndim == 4 and wanted[key].ndim == 2 else value
        for key, value in state.items()
    }
    rules = StateRules(allow_unexpected=(*unused, "*position_ids", "*text_projection*", "*logit_scale"))
    fit_state(module, shaped, rules, source)
    return module


def _check_prefixes(state: State, prefixes: tuple[str, ...], source: str) -> None:
    strange = [
        key
        for key in state
        if not key.startswith(prefixes) and not any(fnmatchcase(key, pattern) for pattern in keys.TRAINING)
    ]
    if strange:
        raise UserError(
            f"{source} may hold {', '.join(f'{prefix}*' for prefix in prefixes)} but has {len(strange)} other keys "
            f"({', '.join(strange[:6])}): name the right file on the card"
        )


def _shared_paths(folder: Path, arguments: DiffusionArguments) -> tuple[Path, Path, Path]:
    if arguments.clip in (arguments.stable_diffusion, arguments.control):
        raise UserError(f"clip cannot be {arguments.clip}, which the card names for another part")
    return folder / arguments.stable_diffusion, folder / arguments.control, folder / arguments.clip


def _read(path: Path) -> dict[str, Tensor]:
    return state_dict_of(read_state(path), _UNWRAP)


def _weights(folder: Path, names: tuple[str, ...]) -> Path:
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise UserError(f"{folder} holds no weights: one of {' and '.join(names)} must lie there")


def _json(path: Path) -> Config:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({_line(error)}): fetch the whole folder again") from error
    if not isinstance(content, dict):
        raise UserError(f"{path} holds no configuration: fetch the whole folder again")
    return content


def _tower_config(content: Config, kind: str, folder: Path) -> dict[str, Any]:
    """Return the entries that shape a tower of CLIP, of a configuration of one tower or of both."""
    inner = content.get(f"{kind}_config", content) if kind else content
    shaping = {*LAYOUTS["full"].text, *LAYOUTS["full"].vision, "hidden_act", "layer_norm_eps"}
    found = {key: value for key, value in inner.items() if key in shaping} if isinstance(inner, dict) else {}
    if not {"hidden_size", "num_hidden_layers"} <= found.keys():
        raise UserError(f"{folder / 'config.json'} describes no CLIP tower: fetch the whole folder again")
    return found


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:160] or type(error).__name__
