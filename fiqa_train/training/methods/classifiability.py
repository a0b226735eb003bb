"""Objectives whose target is relative classifiability, measured during training: CR-FIQA (2112.06592) and ViT-FIQA."""

from typing import Literal

from torch import Tensor, nn

from synfiqa.fiqa_train.training.methods.margins import Classified
from synfiqa.fiqa_train.training.methods.objective import Normalise, Objective

BETA = 0.5
"""Error at which the Smooth L1 of the quality loss changes from square to linear."""
EPSILON = 1e-9

Ratio = Literal["published", "bare"]


def certainty_ratio(found: Classified, ratio: Ratio) -> Tensor:
    """Return the target (B,): CCS / (NNCCS + 1 + 1e-9) as published, or CCS / NNCCS as the released code computes it.

    The released code writes 0 over the own class before the maximum, so that its NNCCS is never below 0.
    """
    if ratio == "published":
        return found.own / (found.nearest + 1 + EPSILON)
    return found.own / found.nearest.clamp_min(EPSILON)


class Classifiability(Objective):
    """Cross-entropy with a margin plus alpha times Smooth L1 between scores and the certainty ratio.

    Its gradient reaches the network through the classifier and the score alike; the ratio is a constant.
    """

    def __init__(
        self, network: nn.Module, normalise: Normalise, centres: nn.Module, quality_weight: float, ratio: Ratio
    ) -> None:
        super().__init__(network, normalise)
        self.beside["classes"] = centres
        self._weight, self._ratio = quality_weight, ratio

    def forward(self, pixels: Tensor, quality: Tensor, classes: Tensor) -> dict[str, Tensor]:
        """Return `loss`, `identity` and `quality`; labels are not used."""
        embeddings, scores = self.embeddings_and_scores(pixels)
        found = self.beside["classes"](embeddings, classes)
        there = classes >= 0
        errors = nn.functional.smooth_l1_loss(scores, certainty_ratio(found, self._ratio), beta=BETA, reduction="none")
        rated = (errors * there).sum() / there.sum().clamp_min(1)
        return {"loss": found.loss + self._weight * rated, "identity": found.loss, "quality": rated}
