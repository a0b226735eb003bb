"""Maps tensor names of single-file checkpoints to those of diffusers and back, by tables of prefixes.

Published checkpoints number their blocks in the order of execution, diffusers nests them by resolution. Every row of a
table is (published prefix, prefix of diffusers); keys without a row keep their name and are then unexpected.
"""

from collections.abc import Iterable, Mapping
from itertools import chain

from torch import Tensor

Table = tuple[tuple[str, str], ...]

UNET, DECODER, TEXT = "model.diffusion_model.", "first_stage_model.", "cond_stage_model.transformer."
"""Prefixes of the parts of Stable Diffusion 1.5 in one file."""
CONTROL, ID_LINEAR, IMAGE_LINEAR = "control_model.", "id_linear.", "img_linear."
VISION = "control_cond_stage_model.transformer."
"""Prefixes of the parts that control adds; VISION is the image encoder, which is optional."""
TRAINING = (
    *("betas", "alphas_cumprod*", "sqrt_*", "log_one_minus_*", "posterior_*", "logvar", "model_ema.*"),
    *("cond_stage_model.logit_scale", "cond_stage_model.text_projection*", "*.position_ids", "*text_projection.weight"),
)
"""Shell patterns of tensors that only training needs."""

_RESNET: Table = (
    ("in_layers.0.", "norm1."),
    ("in_layers.2.", "conv1."),
    ("emb_layers.1.", "time_emb_proj."),
    ("out_layers.0.", "norm2."),
    ("out_layers.3.", "conv2."),
    ("skip_connection.", "conv_shortcut."),
)
_FIRST: Table = (
    ("time_embed.0.", "time_embedding.linear_1."),
    ("time_embed.2.", "time_embedding.linear_2."),
    ("input_blocks.0.0.", "conv_in."),
)
_HINT_LAYERS = 8
"""Convolutions of the hint stem; activations stand between them."""


def encoder_table(levels: int, layers: int) -> Table:
    """Return the table of the downward half and the middle of a U-Net: `levels` resolutions of `layers` blocks each."""
    rows = [*_FIRST]
    for level in range(levels):
        for layer in range(layers):
            block = f"input_blocks.{1 + level * (layers + 1) + layer}."
            rows += _nested(f"{block}0.", f"down_blocks.{level}.resnets.{layer}.", _RESNET)
            rows.append((f"{block}1.", f"down_blocks.{level}.attentions.{layer}."))
        if level < levels - 1:
            rows.append(
                (f"input_blocks.{(level + 1) * (layers + 1)}.0.op.", f"down_blocks.{level}.downsamplers.0.conv.")
            )
    rows += _nested("middle_block.0.", "mid_block.resnets.0.", _RESNET)
    rows.append(("middle_block.1.", "mid_block.attentions.0."))
    rows += _nested("middle_block.2.", "mid_block.resnets.1.", _RESNET)
    return tuple(rows)


def unet_table(levels: int, layers: int, attention: Iterable[bool]) -> Table:
    """Return the table of a whole U-Net; `attention` is true for levels of the upward half with attention."""
    rows = [*encoder_table(levels, layers), ("out.0.", "conv_norm_out."), ("out.2.", "conv_out.")]
    for level, attends in enumerate(attention):
        for layer in range(layers + 1):
            block = f"output_blocks.{level * (layers + 1) + layer}."
            rows += _nested(f"{block}0.", f"up_blocks.{level}.resnets.{layer}.", _RESNET)
            if attends:
                rows.append((f"{block}1.", f"up_blocks.{level}.attentions.{layer}."))
        if level < levels - 1:
            rows.append((f"{block}{1 + attends}.conv.", f"up_blocks.{level}.upsamplers.0.conv."))
    return tuple(rows)


def control_table(levels: int, layers: int) -> Table:
    """Return the table of the control branch, `control_model.` removed; the mask head keeps its name."""
    hint = [f"input_hint_block.{2 * index}." for index in range(_HINT_LAYERS)]
    inner = [f"hint.blocks.{index}." for index in range(_HINT_LAYERS - 2)]
    rows = [*zip(hint, ["hint.conv_in.", *inner, "hint.conv_out."], strict=True), ("mask_predict.0.", "mask.")]
    rows += [(ours, f"encoder.{theirs}") for ours, theirs in encoder_table(levels, layers)]
    zeros = levels * (layers + 1)
    rows += [(f"zero_convs.{index}.0.", f"encoder.controlnet_down_blocks.{index}.") for index in range(zeros)]
    return (*rows, ("middle_block_out.0.", "encoder.controlnet_mid_block."))


def decoder_table(levels: int, layers: int) -> Table:
    """Return the table of the decoder of an autoencoder; published files count its levels from the image."""
    block: Table = (("nin_shortcut.", "conv_shortcut."), ("", ""))
    attention: Table = (
        *((f"{one}.", f"to_{one}.") for one in "qkv"),
        ("proj_out.", "to_out.0."),
        ("norm.", "group_norm."),
    )
    rows = [("decoder.norm_out.", "decoder.conv_norm_out.")]
    rows += _nested("decoder.mid.block_1.", "decoder.mid_block.resnets.0.", block)
    rows += _nested("decoder.mid.attn_1.", "decoder.mid_block.attentions.0.", attention)
    rows += _nested("decoder.mid.block_2.", "decoder.mid_block.resnets.1.", block)
    for level in range(levels):
        theirs, ours = f"decoder.up.{levels - 1 - level}.", f"decoder.up_blocks.{level}."
        for layer in range(layers + 1):
            rows += _nested(f"{theirs}block.{layer}.", f"{ours}resnets.{layer}.", block)
        rows.append((f"{theirs}upsample.conv.", f"{ours}upsamplers.0.conv."))
    return tuple(rows)


DIFFUSERS_OLD: Table = tuple(
    (f"decoder.mid_block.attentions.0.{old}.", f"decoder.mid_block.attentions.0.{new}.")
    for old, new in (("query", "to_q"), ("key", "to_k"), ("value", "to_v"), ("proj_attn", "to_out.0"))
)
"""Names of the decoder's attention in folders that diffusers wrote before 2023."""


def renamed(state: Mapping[str, Tensor], table: Table) -> dict[str, Tensor]:
    """Return the tensors under the names of the table's second column; the longest matching prefix applies."""
    prefixes = dict(table)
    return {_renamed(key, prefixes): value for key, value in state.items()}


def reverse(table: Table) -> Table:
    """Return the inverse of a table."""
    return tuple((new, old) for old, new in table)


def part_of(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors whose names begin with the prefix, without it."""
    return {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}


def _renamed(key: str, prefixes: Mapping[str, str]) -> str:
    cuts = (index + 1 for index in range(len(key) - 1, -1, -1) if key[index] == ".")
    for cut in chain(cuts, [0]):
        if key[:cut] in prefixes:
            return prefixes[key[:cut]] + key[cut:]
    return key


def _nested(old: str, new: str, inner: Table) -> list[tuple[str, str]]:
    return [(old + before, new + after) for before, after in inner]
