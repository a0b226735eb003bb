"""The quality network: a small IResNet trunk on standardised grey faces, and a regression head on its last features."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from synfiqa.actors.imaging.gray import LUMA, standardise
from synfiqa.actors.nets.small_iresnet import SmallIResNet
from synfiqa.schemas.model_card import ModelCard

ARCHITECTURE = "quality-net"
INPUT_SIZE = 112
BLOCKS = (1, 2, 2, 1)
HEAD_WIDTH = 64
DROPOUT = 0.4


class QualityNet(nn.Module):
    """Regresses a quality label from grey faces; higher is better, no output activation.

    The head has the form of MR-FIQA's fixed-quality head (two hidden layers of Linear, BatchNorm, ReLU and one Linear
    to a scalar), narrower to suit the trunk. Its inputs are the global average of the last features, their global
    depthwise pool, which depends on positions in the face, as in recognition, and two bounded scalars for brightness
    and contrast, which standardisation removes.
    """

    def __init__(
        self,
        widths: Sequence[int],
        blocks: Sequence[int] = BLOCKS,
        head_width: int = HEAD_WIDTH,
        dropout: float = DROPOUT,
    ) -> None:
        super().__init__()
        self.arguments: dict[str, Any] = {"widths": list(widths), "blocks": list(blocks), "head_width": head_width}
        backbone = SmallIResNet(in_channels=1, widths=widths, blocks=blocks)
        self.stem, self.stages = backbone.stem, backbone.stages
        self.pool = nn.Sequential(backbone.pool, backbone.pool_norm)
        # oneDNN's channels-last kernels (torch 2.15, AVX-512) corrupt the heap in training at widths 4 and 8
        safe = all(width >= 16 and width % 8 == 0 for width in widths)
        self._layout = torch.channels_last if safe else torch.contiguous_format
        self.to(memory_format=self._layout)
        self.head = nn.Sequential(
            nn.Linear(2 * widths[-1] + 2, head_width),
            nn.BatchNorm1d(head_width),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(head_width, head_width),
            nn.BatchNorm1d(head_width),
            nn.ReLU(),
        )
        self.score = nn.Linear(head_width, 1)
        # start near the constant 1/2, the middle of the labels, so that the first steps do not disturb the trunk
        nn.init.normal_(self.score.weight, std=0.01)
        nn.init.constant_(self.score.bias, 0.5)

    def forward(self, gray: Tensor) -> Tensor:
        """Map luma (B, 112, 112) in 0..255 to scores (B,)."""
        x = standardise(gray).contiguous(memory_format=self._layout)
        features = self.stages(self.stem(x)).float()
        # In float32, because scores rounded to half precision would tie different faces.
        with torch.autocast(gray.device.type, enabled=False):
            return self._score(features, gray)

    def _score(self, features: Tensor, gray: Tensor) -> Tensor:
        pooled = [features.mean(dim=(2, 3)), self.pool(features).flatten(1), exposure(gray)]
        scores: Tensor = self.score(self.head(torch.cat(pooled, dim=1))).squeeze(1)
        return scores


def exposure(gray: Tensor) -> Tensor:
    """Return mean and standard deviation of luma (B, H, W), scaled to about -1..1, as (B, 2)."""
    mean = gray.mean(dim=(1, 2)) / 127.5 - 1
    spread = gray.std(dim=(1, 2), correction=0) / 64 - 1
    return torch.stack([mean, spread], dim=1)


def to_gray(images: np.ndarray) -> np.ndarray:
    """Return the luma (N, H, W) of uint8 RGB images (N, H, W, 3), rounded to uint8 (ITU-R BT.601)."""
    return np.rint(images @ np.array(LUMA, np.float32)).astype(np.uint8)


def initialise_from(network: QualityNet, embedder: SmallIResNet) -> None:
    """Copy trunk and depthwise pool of a recognition network of the same widths and blocks; the head is unchanged."""
    network.stem.load_state_dict(embedder.stem.state_dict())
    network.stages.load_state_dict(embedder.stages.state_dict())
    network.pool[0].load_state_dict(embedder.pool.state_dict())
    network.pool[1].load_state_dict(embedder.pool_norm.state_dict())


class QualityModel:
    """A trained network with its card: scores aligned faces in batches."""

    def __init__(self, network: QualityNet, card: ModelCard, device: str = "cpu") -> None:
        self.card = card
        self._device = torch.device(device)
        self._network = network.eval().to(self._device)

    def state_dict(self) -> dict[str, Tensor]:
        """Return the weights, on the CPU."""
        return {key: tensor.detach().cpu() for key, tensor in self._network.state_dict().items()}

    @torch.inference_mode()
    def score(self, images: np.ndarray, batch: int = 64) -> np.ndarray:
        """Return float32 scores (N,) of uint8 RGB faces (N, 112, 112, 3), higher being better."""
        if images.ndim != 4 or images.shape[1:] != (INPUT_SIZE, INPUT_SIZE, 3) or images.dtype != np.uint8:
            raise ValueError(f"score takes uint8 RGB faces (N, 112, 112, 3), not {images.dtype} {images.shape}")
        parts = [
            self._network(torch.from_numpy(to_gray(images[start : start + batch])).float().to(self._device))
            .cpu()
            .numpy()
            for start in range(0, len(images), batch)
        ]
        return np.concatenate([*parts, np.empty(0, np.float32)])
