"""BLIP's image and text tower for image-text contrast (ITC), and the tensor names of its checkpoints."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from transformers import BlipConfig, BlipTextConfig, BlipVisionConfig
from transformers.models.blip.modeling_blip import BlipVisionModel
from transformers.models.blip.modeling_blip_text import BlipTextModel

from synfiqa.schemas.model_card import StateRules

CONTEXT = 35
"""Number of text tokens; captions are padded or cut to it, as in training on COCO."""

SIZES: dict[str, dict[str, Any]] = {
    # The layers' epsilons and 12 text heads are those of the original code; transformers' defaults differ.
    "base": {
        "vision_config": {"layer_norm_eps": 1e-6},
        "text_config": {"num_attention_heads": 12},
    },
    "tiny": {
        "image_text_hidden_size": 16,
        "vision_config": {
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": 48,
            "patch_size": 16,
            "layer_norm_eps": 1e-6,
        },
        "text_config": {
            "vocab_size": 1000,
            "bos_token_id": 998,
            "hidden_size": 24,
            "intermediate_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 3,
            "max_position_embeddings": 40,
        },
    },
}
"""Configurations: `base` is ViT-B/16 at 384 pixels with BERT base over 30,524 tokens; `tiny` is for rehearsals."""

_NOT_CONTRASTIVE = (
    "itm_head.*",
    "text_encoder.encoder.layer.*.crossattention.*",
    "text_encoder.embeddings.position_ids",
)

HUGGING_FACE = StateRules(allow_unexpected=_NOT_CONTRASTIVE)
"""Rules for tensors of transformers' BlipForImageTextRetrieval; the matching head is left out."""

_VIT, _LAYERS = r"^visual_encoder\.", "vision_model.encoder.layers."
ORIGINAL = StateRules(
    unwrap=("model",),
    rename=(
        (_VIT + r"cls_token$", "vision_model.embeddings.class_embedding"),
        (_VIT + r"pos_embed$", "vision_model.embeddings.position_embedding"),
        (_VIT + r"patch_embed\.proj\.", "vision_model.embeddings.patch_embedding."),
        (_VIT + r"norm\.", "vision_model.post_layernorm."),
        (_VIT + r"blocks\.(\d+)\.norm([12])\.", _LAYERS + r"\1.layer_norm\2."),
        (_VIT + r"blocks\.(\d+)\.attn\.qkv\.", _LAYERS + r"\1.self_attn.qkv."),
        (_VIT + r"blocks\.(\d+)\.attn\.proj\.", _LAYERS + r"\1.self_attn.projection."),
        (_VIT + r"blocks\.(\d+)\.mlp\.", _LAYERS + r"\1.mlp."),
    ),
    allow_unexpected=(
        *_NOT_CONTRASTIVE,
        # Momentum copies, queues of negatives and the temperature serve training only.
        *("visual_encoder_m.*", "text_encoder_m.*", "vision_proj_m.*", "text_proj_m.*"),
        *("image_queue", "text_queue", "idx_queue", "ptr_queue", "temp"),
    ),
)
"""Rules for tensors of the authors' `model_base_retrieval_coco.pth`."""


def blip_config(size: str = "base", config: Mapping[str, Any] | None = None) -> BlipConfig:
    """Return the configuration of a size with the entries of `config` over it; ValueError for an unknown size."""
    if size not in SIZES:
        raise ValueError(f"size must be one of {', '.join(SIZES)}, not {size!r}")
    return BlipConfig(**_merged(SIZES[size], config or {}))


def parts_of(config: BlipConfig) -> tuple[BlipVisionConfig, BlipTextConfig]:
    """Return the configurations of the image and the text tower."""
    vision, text = config.vision_config, config.text_config
    assert isinstance(vision, BlipVisionConfig)
    assert isinstance(text, BlipTextConfig)
    return vision, text


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    return {**base, **{k: _merged(base.get(k, {}), v) if isinstance(v, Mapping) else v for k, v in over.items()}}


class BlipTowers(nn.Module):
    """Image and text encoder with their projections, under the names of transformers' BlipForImageTextRetrieval."""

    def __init__(self, config: BlipConfig) -> None:
        super().__init__()
        vision, text = parts_of(config)
        # A text encoder that is no decoder has no cross-attention, which is a quarter of its weights.
        text = BlipTextConfig(**{**text.to_dict(), "is_decoder": False})
        self.vision_model = BlipVisionModel(vision)
        self.text_encoder = BlipTextModel(text, add_pooling_layer=False)
        self.vision_proj = nn.Linear(vision.hidden_size, config.image_text_hidden_size)
        self.text_proj = nn.Linear(text.hidden_size, config.image_text_hidden_size)

    def image_features(self, pixels: Tensor) -> Tensor:
        """Map (N, 3, S, S), CLIP-normalised RGB, to features (N, D) of any length."""
        features: Tensor = self.vision_proj(self.vision_model(pixels).last_hidden_state[:, 0])
        return features

    def text_features(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Map token ids and attention mask (N, 35) to features (N, D) of any length."""
        hidden = self.text_encoder(ids, attention_mask=mask).last_hidden_state
        features: Tensor = self.text_proj(hidden[:, 0])
        return features

    def reset_positions(self) -> None:
        """Fill in the text position ids, which no checkpoint holds, after a move from the meta device."""
        ids = self.text_encoder.embeddings.position_ids
        ids.copy_(torch.arange(ids.shape[1], device=ids.device).expand_as(ids))
