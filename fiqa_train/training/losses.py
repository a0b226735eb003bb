"""Loss of label regression: Smooth L1 and a pairwise ranking term."""

from torch import Tensor, nn

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
