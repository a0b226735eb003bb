"""Configurations of the networks of Stable Diffusion 1.5, full and tiny, and their untrained networks."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from diffusers.models.autoencoders.vae import Decoder
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPVisionConfig, CLIPVisionModel

Config = Mapping[str, Any]

LATENT_CHANNELS = 4
LATENT_SCALE = 0.18215
"""Factor of latents in training."""
IMAGE_TO_LATENT = 8
"""Image pixels per latent, along each side."""


class LatentDecoder(nn.Module):
    """The decoder half of the autoencoder: 49,490,179 parameters and 20 of the convolution before it."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        channels = config.get("latent_channels", LATENT_CHANNELS)
        widths = config["block_out_channels"]
        self.post_quant_conv = nn.Conv2d(channels, channels, 1)
        self.decoder = Decoder(
            in_channels=channels,
            out_channels=3,
            up_block_types=("UpDecoderBlock2D",) * len(widths),
            block_out_channels=tuple(widths),
            layers_per_block=config.get("layers_per_block", 2),
            norm_num_groups=config.get("norm_num_groups", 32),
        )

    def forward(self, latents: Tensor) -> Tensor:
        """Map scaled latents (N, 4, S/8, S/8) to images (N, 3, S, S), RGB, nominally -1..1."""
        image: Tensor = self.decoder(self.post_quant_conv(latents / LATENT_SCALE))
        return image


@dataclass(frozen=True)
class Layout:
    """The configuration of every network, in the terms of diffusers and transformers."""

    unet: Config
    vae: Config
    text: Config
    vision: Config


FULL = Layout(
    unet={
        "sample_size": 64,
        "block_out_channels": (320, 640, 1280, 1280),
        "layers_per_block": 2,
        "cross_attention_dim": 768,
        "attention_head_dim": 8,
        "norm_num_groups": 32,
    },
    vae={
        "latent_channels": LATENT_CHANNELS,
        "block_out_channels": (128, 256, 512, 512),
        "layers_per_block": 2,
        "norm_num_groups": 32,
    },
    text={
        "vocab_size": 49_408,
        "hidden_size": 768,
        "intermediate_size": 3072,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "projection_dim": 768,
    },
    vision={
        "hidden_size": 1024,
        "intermediate_size": 4096,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "image_size": 224,
        "patch_size": 14,
        "projection_dim": 768,
    },
)
"""Stable Diffusion 1.5 and both towers of CLIP ViT-L/14."""

TINY = Layout(
    unet={
        **FULL.unet,
        "sample_size": 8,
        "block_out_channels": (16, 32, 64, 64),
        "cross_attention_dim": 32,
        "attention_head_dim": 2,
        "norm_num_groups": 8,
    },
    vae={**FULL.vae, "block_out_channels": (8, 8, 16, 16), "norm_num_groups": 4},
    text={
        "vocab_size": 1024,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "projection_dim": 32,
    },
    vision={
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "image_size": 28,
        "patch_size": 14,
        "projection_dim": 32,
    },
)
"""The same networks with few channels, for tests and rehearsals."""

LAYOUTS = {"full": FULL, "tiny": TINY}


def unet_of(config: Config) -> nn.Module:
    """Return the untrained UNet2DConditionModel of a configuration, its gaps filled as in Stable Diffusion 1.5."""
    # The library does not type it as a module.
    unet: Any = UNet2DConditionModel.from_config(dict(config))
    assert isinstance(unet, nn.Module)
    return unet


def text_encoder_of(config: Config) -> CLIPTextModel:
    """Return the untrained text tower, which ends in its last normalisation."""
    known = dict(config)
    # The published configuration has 2 as end token, which is unused; these are the tokens of the vocabulary.
    known |= {"bos_token_id": known["vocab_size"] - 2, "eos_token_id": known["vocab_size"] - 1}
    return CLIPTextModel(CLIPTextConfig(**known))


def image_encoder_of(config: Config) -> CLIPVisionModel:
    """Return the untrained vision tower."""
    return CLIPVisionModel(CLIPVisionConfig(**dict(config)))


def empty(module: nn.Module) -> nn.Module:
    """Move a network from the meta device to the CPU; its parameters are uninitialised, position ids are filled in."""
    module = module.to_empty(device="cpu")
    stored = module.state_dict().keys()
    for name, buffer in module.named_buffers():
        if name not in stored:
            # Position ids are the only buffers of these networks that no checkpoint holds.
            assert name.endswith("position_ids"), f"{name} is computed, not loaded"
            buffer.copy_(torch.arange(buffer.shape[-1]).expand_as(buffer))
    return module
