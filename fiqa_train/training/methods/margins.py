"""Classification of identities with a margin on their cosines: ArcFace (1801.07698), CosFace (1801.09414)."""

import math
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

CENTRE_STD = 0.01
"""Standard deviation of the centres at the start, as CR-FIQA has it."""
_EDGE = 1e-7

Kind = Literal["arcface", "cosface"]


class Classified(NamedTuple):
    """Cross-entropy (scalar) over the rows of known class, and of each row, detached, before the margin:

    `own`, the cosine to the centre of its class (CCS), and `nearest`, the largest to another one (NNCCS), both (B,).
    """

    loss: Tensor
    own: Tensor
    nearest: Tensor


class MarginClasses(nn.Module):
    """Class centres (D, C) under a margin: additive on the angle (ArcFace) or on the cosine (CosFace)."""

    def __init__(self, dim: int, classes: int, scale: float, margin: float, kind: Kind) -> None:
        super().__init__()
        if classes < 2:
            raise ValueError(f"classification needs at least 2 classes, not {classes}")
        self.kernel = nn.Parameter(torch.randn(dim, classes) * CENTRE_STD)
        self.scale, self.margin, self.kind = scale, margin, kind

    def forward(self, embeddings: Tensor, classes: Tensor) -> Classified:
        """Classify un-normalised embeddings (B, D); rows of class -1 enter neither the loss nor have an own cosine."""
        centres = nn.functional.normalize(self.kernel.float(), dim=0)
        cosines = (nn.functional.normalize(embeddings.float(), dim=1) @ centres).clamp(-1, 1)
        there = classes >= 0
        target = classes.clamp_min(0)[:, None]
        own = cosines.gather(1, target).squeeze(1)
        changed = cosines.scatter(1, target, with_margin(own, self.margin, self.kind)[:, None])
        losses = nn.functional.cross_entropy(self.scale * changed, target.squeeze(1), reduction="none")
        loss = (losses * there).sum() / there.sum().clamp_min(1)
        others = cosines.detach().scatter(1, target, -math.inf)
        return Classified(loss, own.detach(), others.max(dim=1).values)


def with_margin(own: Tensor, margin: float, kind: Kind) -> Tensor:
    """Return cos(theta + m) for ArcFace or cos(theta) - m for CosFace of the cosines (B,) to the own centre.

    ArcFace has no guard where theta + m exceeds pi, as in CR-FIQA.
    """
    if kind == "cosface":
        return own - margin
    # The derivative of the square root is infinite at the ends.
    inside = own.clamp(-1 + _EDGE, 1 - _EDGE)
    return inside * math.cos(margin) - (1 - inside.square()).sqrt() * math.sin(margin)
