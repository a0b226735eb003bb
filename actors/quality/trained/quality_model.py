"""A trained quality network with its card."""

import numpy as np
import torch
from torch import Tensor

from synfiqa.actors.imaging.preprocess import network_input
from synfiqa.actors.nets.fiqa.contract import FiqaNetwork
from synfiqa.actors.nets.quality_net import INPUT_SIZE, to_gray
from synfiqa.schemas.model_card import ModelCard


class QualityModel:
    """A quality network with its card: scores aligned faces in batches, in float32.

    `card` states the input; it may be replaced, and the next call reads the new one.
    """

    def __init__(self, network: FiqaNetwork, card: ModelCard, device: str = "cpu") -> None:
        self.card = card
        self.device = torch.device(device)
        self.network = network.eval().to(self.device)

    def state_dict(self) -> dict[str, Tensor]:
        """Return the weights, on the CPU."""
        return {key: tensor.detach().cpu() for key, tensor in self.network.state_dict().items()}

    @torch.inference_mode()
    def score(self, images: np.ndarray, batch: int = 64) -> np.ndarray:
        """Return float32 scores (N,) of uint8 RGB faces (N, 112, 112, 3), higher being better."""
        require_faces(images)
        parts = [self._scores(images[start : start + batch]) for start in range(0, len(images), batch)]
        return np.concatenate([*parts, np.empty(0, np.float32)])

    def _scores(self, images: np.ndarray) -> np.ndarray:
        if self.card.channels == "gray":
            inputs = torch.from_numpy(to_gray(images)).float().to(self.device)
        else:
            inputs = network_input(images, self.card, self.device)
        scores: np.ndarray = self.network(inputs).float().cpu().numpy()
        return scores


def require_faces(images: np.ndarray) -> None:
    """Raise ValueError unless the images are uint8 RGB faces (N, 112, 112, 3)."""
    if images.ndim != 4 or images.shape[1:] != (INPUT_SIZE, INPUT_SIZE, 3) or images.dtype != np.uint8:
        raise ValueError(f"score takes uint8 RGB faces (N, 112, 112, 3), not {images.dtype} {images.shape}")
