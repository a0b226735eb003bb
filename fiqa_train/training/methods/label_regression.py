"""Regression onto the labels of a run: Smooth L1 and a pairwise ranking term."""

from torch import Tensor, nn

from synfiqa.fiqa_train.training.methods.objective import Objective, known

BETA = 0.1
"""Error at which Smooth L1 changes from square to linear, on the label's scale of 0..1."""
RANKING_WEIGHT = 0.1
"""Weight of the ranking term beside Smooth L1."""
MARGIN_SCALE = 0.1
"""Score difference at which the ranking term is mostly satisfied."""


def quality_loss(scores: Tensor, labels: Tensor) -> Tensor:
    """Return Smooth L1 of scores (B,) against labels (B,), plus a pairwise logistic ranking term.

    The ranking term weighs each pair by its label difference. It is there because an EDC depends on the order of
    scores alone.
    """
    error = nn.functional.smooth_l1_loss(scores, labels, beta=BETA)
    wanted = labels[:, None] - labels[None, :]
    found = (scores[:, None] - scores[None, :]) / MARGIN_SCALE
    weight = wanted.abs()
    ranking = (nn.functional.softplus(-found * wanted.sign()) * weight).sum() / weight.sum().clamp_min(1e-6)
    return error + RANKING_WEIGHT * ranking


class LabelRegression(Objective):
    """`quality_loss` of scores against the labels of the run."""

    def forward(self, pixels: Tensor, quality: Tensor, classes: Tensor) -> dict[str, Tensor]:
        """Return `loss`; rows without a label are left out, and classes are not used."""
        scores, there = self.scores(pixels), known(quality)
        if not bool(there.all()):
            scores, quality = scores[there], quality[there]
        # A sum of nothing keeps the graph, so that gradients are averaged over all workers at each step.
        return {"loss": quality_loss(scores, quality) if len(quality) else scores.sum()}
