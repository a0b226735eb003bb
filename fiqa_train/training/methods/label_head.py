"""MR-FIQA's objective: a head regresses the labels of the run while identities are classified, or alone."""

from torch import Tensor, nn

from synfiqa.fiqa_train.training.methods.classifiability import BETA
from synfiqa.fiqa_train.training.methods.objective import Normalise, Objective, known


class LabelHead(Objective):
    """Smooth L1 between scores and labels, times alpha beside the cross-entropy of identities, or alone.

    The paper's trainer is not published: this is the reconstruction that its released network suggests.
    """

    def __init__(
        self, network: nn.Module, normalise: Normalise, centres: nn.Module | None, quality_weight: float
    ) -> None:
        super().__init__(network, normalise)
        if centres is not None:
            self.beside["classes"] = centres
        self._weight = quality_weight

    def forward(self, pixels: Tensor, quality: Tensor, classes: Tensor) -> dict[str, Tensor]:
        """Return `loss`, `quality`, and `identity` of classified identities; rows without a label do not count."""
        if "classes" not in self.beside:
            rated = _error(self.scores(pixels), quality)
            return {"loss": rated, "quality": rated}
        embeddings, scores = self.embeddings_and_scores(pixels)
        rated = _error(scores, quality)
        identity = self.beside["classes"](embeddings, classes).loss
        return {"loss": identity + self._weight * rated, "identity": identity, "quality": rated}


def _error(scores: Tensor, quality: Tensor) -> Tensor:
    there = known(quality)
    errors = nn.functional.smooth_l1_loss(scores, quality.nan_to_num(), beta=BETA, reduction="none")
    return (errors * there).sum() / there.sum().clamp_min(1)
