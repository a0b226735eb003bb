"""The bundled recognition embedders: grey-input IResNets trained on this project's own renders."""

from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from actors.model_zoo import WEIGHTS_DIR, load_card, load_weights
from actors.nets.iresnet import SmallIResNet, standardise_gray

MICRO_BATCH = 16
"""Images per network call. Constant, short calls are padded, so that the caller's batches leave no trace."""


class BundledEmbedder:
    """An `actors.roles.Embedder` with the weights that ship in this package, `bundled-a` or `bundled-b`."""

    def __init__(self, name: str, device: str = "cpu", folder: Path = WEIGHTS_DIR) -> None:
        """Load the network; raises `UserError` for an unknown name or weights that differ from their card."""
        self.name = name
        self.card = load_card(name, role="embedder", folder=folder)
        self.device = torch.device(device)
        self.net = SmallIResNet(**self.card.arguments)
        self.net.load_state_dict(load_weights(self.card, folder))
        self.net.to(self.device).eval()

    def embed(self, images: np.ndarray) -> np.ndarray:
        """Return float32 (N, D) unit vectors of uint8 RGB (N, 112, 112, 3)."""
        side = self.card.input_size
        if images.shape[1:] != (side, side, 3):
            raise ValueError(f"{self.name} takes aligned faces (N, {side}, {side}, 3), not {images.shape}")
        vectors = np.empty((len(images), self.net.project.out_features), dtype=np.float32)
        for start in range(0, len(images), MICRO_BATCH):
            chunk = standardise_gray(images[start : start + MICRO_BATCH])
            padding = MICRO_BATCH - len(chunk)
            inputs = functional.pad(chunk, (0, 0) * 3 + (0, padding)).to(self.device)
            with torch.inference_mode():
                found = functional.normalize(self.net(inputs))
            vectors[start : start + MICRO_BATCH] = found[: len(chunk)].cpu().numpy()
        return vectors
