"""Distillation: the target is what another quality scorer says about the same augmented picture."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from synfiqa.actors.imaging.gray import LUMA
from synfiqa.fiqa_train.training.methods.label_regression import quality_loss
from synfiqa.fiqa_train.training.methods.objective import Normalise, Objective

Teacher = Callable[[np.ndarray], np.ndarray]
"""Scores on the scale of labels, float (N,), of uint8 RGB faces (N, 112, 112, 3), higher being better."""


class Distillation(Objective):
    """`quality_loss` of scores against those of a teacher, which sees the pixels that the network sees."""

    def __init__(self, network: nn.Module, normalise: Normalise, teacher: Teacher, *, gray: bool) -> None:
        super().__init__(network, normalise)
        self._teacher, self._gray = teacher, gray

    def forward(self, pixels: Tensor, quality: Tensor, classes: Tensor) -> dict[str, Tensor]:
        """Return `loss` of float RGB pixels (B, 3, 112, 112); labels and classes are not used."""
        images = pixels.detach().round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()
        target = torch.from_numpy(np.asarray(self._teacher(images.cpu().numpy()), np.float32)).to(pixels.device)
        return {"loss": quality_loss(self.scores(luma(pixels) if self._gray else pixels), target)}


def luma(pixels: Tensor) -> Tensor:
    """Return the luma (B, H, W) of RGB pixels (B, 3, H, W) (ITU-R BT.601)."""
    weights = torch.tensor(LUMA, dtype=pixels.dtype, device=pixels.device)
    return (pixels * weights[None, :, None, None]).sum(dim=1)
