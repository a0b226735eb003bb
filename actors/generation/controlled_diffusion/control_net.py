"""The control branch: maps a rendered control map and an identity to residuals of a U-Net's features."""

from typing import Any

import torch
from diffusers import ControlNetModel
from torch import Tensor, nn
from torch.nn import functional

CONTROL_CHANNELS = 9
"""Channels of normals, albedo and Lambertian shading, three each."""
HINT_WIDTHS = (16, 32, 96, 256)
"""Channels of the hint stem, which halves the resolution between each two of them."""


class ControlBranch(nn.Module):
    """A copy of the U-Net's downward half and middle, CapHuman's kind of ControlNet; 361,282,865 parameters for SD 1.5.

    It has no text input. `prepare` computes what depends on the control map alone, once for all steps.
    """

    def __init__(self, unet: Any) -> None:
        """Make an untrained branch for a UNet2DConditionModel, whose weights are not read."""
        super().__init__()
        self.encoder = ControlNetModel.from_unet(
            unet,
            load_weights_from_unet=False,
            conditioning_channels=CONTROL_CHANNELS,
            conditioning_embedding_out_channels=HINT_WIDTHS,
        )
        # The library's branch computes the stem at every step; here it runs once and its features are passed in.
        self.hint = self.encoder.controlnet_cond_embedding
        self.encoder.controlnet_cond_embedding = nn.Identity()
        self.mask = nn.Conv2d(unet.config["block_out_channels"][0], 1, 3, padding=1)

    def prepare(self, control: Tensor) -> tuple[Tensor, Tensor]:
        """Map control (N, 9, S, S) to hint features (N, C, S/8, S/8) and the soft mask of the head (N, 1, S/8, S/8)."""
        features = self.hint(control)
        return features, torch.sigmoid(self.mask(features))

    def forward(self, latents: Tensor, timestep: Tensor, features: Tensor, context: Tensor) -> list[Tensor]:
        """Return the residuals of all skip connections, in the order of execution, then that of the middle."""
        down, middle = self.encoder(latents, timestep, context, features, return_dict=False)
        return [*down, middle]


def hard_masks(mask: Tensor) -> list[Tensor]:
    """Return the mask (N, 1, H, W) at all four resolutions, finest first, as float32 that is 1 where it exceeds 0.5.

    It is resized before the comparison, bilinear and antialiased, as torchvision has done since 0.17.
    """
    sizes = [[side >> level for side in mask.shape[-2:]] for level in range(4)]
    resized = [
        mask.float() if level == 0 else functional.interpolate(mask.float(), size, mode="bilinear", antialias=True)
        for level, size in enumerate(sizes)
    ]
    return [(found > 0.5).float() for found in resized]


def masked(residuals: list[Tensor], masks: list[Tensor]) -> list[Tensor]:
    """Return the residuals with everything outside the head set to zero."""
    by_height = {mask.shape[-2]: mask for mask in masks}
    return [residual * by_height[residual.shape[-2]].to(residual.dtype) for residual in residuals]
