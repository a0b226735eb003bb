"""Counts the floating-point operations of an image, here and as released, on networks without weights."""

from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

from synfiqa.actors.generation.controlled_diffusion.control_net import CONTROL_CHANNELS
from synfiqa.actors.generation.controlled_diffusion.layout import IMAGE_TO_LATENT, LATENT_CHANNELS, Layout
from synfiqa.actors.generation.controlled_diffusion.text import CONTEXT
from synfiqa.actors.generation.controlled_diffusion.weights import skeletons


@dataclass(frozen=True)
class Cost:
    """Operations of one evaluation for one image; a multiply-add counts 2."""

    unet: int
    branch: int
    """Operations of the control branch at a step, without its hint stem."""
    stem: int
    """Operations of the hint stem and the mask head."""
    decoder: int

    def image(self, steps: int = 20) -> int:
        """Return the operations of an image here: per step the U-Net for two texts and one branch, and one stem."""
        return steps * (2 * self.unet + self.branch) + self.stem + self.decoder

    def released_image(self, steps: int = 20) -> int:
        """Return the operations of an image as released: U-Net, branch and stem for both texts at every step."""
        return 2 * steps * (self.unet + self.branch + self.stem) + self.decoder


def count(layout: Layout, side: int) -> Cost:
    """Count the operations of an image of `side` pixels, on the meta device."""
    small = side // IMAGE_TO_LATENT
    with torch.device("meta"), torch.inference_mode():
        networks = skeletons(layout)
        latents, time = torch.empty(1, LATENT_CHANNELS, small, small), torch.zeros(1)
        tokens = (layout.vision["image_size"] // layout.vision["patch_size"]) ** 2 + 1
        context = torch.empty(1, tokens + 1, layout.unet["cross_attention_dim"])
        text = torch.empty(1, CONTEXT, layout.unet["cross_attention_dim"])
        with FlopCounterMode(display=False) as stem:
            features, _ = networks.control.prepare(torch.empty(1, CONTROL_CHANNELS, side, side))
        with FlopCounterMode(display=False) as branch:
            networks.control(latents, time, features, context)
        with FlopCounterMode(display=False) as unet:
            networks.unet(latents, time, text)
        with FlopCounterMode(display=False) as decoder:
            networks.decoder(latents)
    return Cost(*(counter.get_total_flops() for counter in (unet, branch, stem, decoder)))
