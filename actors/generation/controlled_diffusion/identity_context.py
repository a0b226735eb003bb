"""The control branch's attention context: tokens of an identity's portrait, then its recognition embedding."""

import torch
from torch import Tensor, nn

from synfiqa.schemas.model_card import FACE_EMBEDDING


class IdentityContext(nn.Module):
    """Two linear maps to the width of the cross-attention, 1024 -> 768 and 512 -> 768 as published."""

    def __init__(self, image_width: int, width: int) -> None:
        """Make untrained maps for image tokens of a width."""
        super().__init__()
        self.img_linear = nn.Linear(image_width, width)
        self.id_linear = nn.Linear(FACE_EMBEDDING, width)

    def forward(self, image_tokens: Tensor, face_embedding: Tensor) -> Tensor:
        """Return (N, T + 1, width) for tokens (N, T, image width) and unit vectors (N, 512), which come last."""
        return torch.cat([self.img_linear(image_tokens), self.id_linear(face_embedding)[:, None]], dim=1)
