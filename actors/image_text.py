"""The bundled dual encoder: a small CLIP trained on this project's own renders and their generated captions."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from actors.model_zoo import WEIGHTS_DIR, load_card, load_weights
from actors.nets.dual_encoder import WordTokenizer, clip_input, small_clip

MICRO_BATCH = 16
"""Images per network call; short calls are padded so that the caller's batches leave no trace."""


class BundledImageText:
    """An `actors.roles.ImageText` with the weights that ship in this package, `bundled-clip`."""

    def __init__(self, name: str, device: str = "cpu", folder: Path = WEIGHTS_DIR) -> None:
        """Load the network; raises `UserError` for an unknown name or weights that differ from their card."""
        self.name = name
        self.card = load_card(name, role="image_text", folder=folder)
        self.device = torch.device(device)
        arguments = dict(self.card.arguments)
        self.tokenizer = WordTokenizer(arguments.pop("vocabulary"), arguments["context_length"])
        self.net = small_clip(self.tokenizer.vocab_size, **arguments)
        self.net.load_state_dict(load_weights(self.card, folder))
        self.net.to(self.device).eval()
        self._captions: dict[str, Tensor] = {}

    def similarity(self, images: np.ndarray, caption: str) -> np.ndarray:
        """Return float32 (N,) cosines in [-1, 1] for uint8 RGB (N, 112, 112, 3)."""
        return self.similarities(images, [caption])[:, 0]

    def similarities(self, images: np.ndarray, captions: list[str]) -> np.ndarray:
        """Return float32 (N, len(captions)) cosines in [-1, 1]; the image tower runs once."""
        text = torch.stack([self._encode(caption) for caption in captions])
        cosines = np.empty((len(images), len(captions)), dtype=np.float32)
        for start in range(0, len(images), MICRO_BATCH):
            chunk = clip_input(images[start : start + MICRO_BATCH], self.card.input_size)
            padding = MICRO_BATCH - len(chunk)
            inputs = functional.pad(chunk, (0, 0) * 3 + (0, padding)).to(self.device)
            with torch.inference_mode():
                found = (self.net.encode_image(inputs, normalize=True)[:, None] * text[None]).sum(dim=-1)
            cosines[start : start + MICRO_BATCH] = found[: len(chunk)].clamp(-1, 1).cpu().numpy()
        return cosines

    def _encode(self, caption: str) -> Tensor:
        if caption not in self._captions:
            with torch.inference_mode():
                tokens = self.tokenizer([caption]).to(self.device)
                self._captions[caption] = self.net.encode_text(tokens, normalize=True)[0]
        return self._captions[caption]
