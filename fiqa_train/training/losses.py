"""Losses of label regression: Smooth-L1 and a ranking margin."""

from torch import Tensor, nn

BETA = 0.1
"""Where SmoothL1 turns from square to linear, on the label's scale of 0..1."""


RANKING_WEIGHT = 0.1


MARGIN_SCALE = 0.1
"""Score difference at which the ranking term is mostly satisfied."""


def quality_loss(scores: Tensor, labels: Tensor) -> Tensor:
    """Return SmoothL1 of scores (B,) against labels (B,), plus a pairwise logistic ranking term.

    The ranking term weighs each pair by its label difference: what an EDC uses of a score is its order alone.
    """
    error = nn.functional.smooth_l1_loss(scores, labels, beta=BETA)
    wanted = labels[:, None] - labels[None, :]
    found = (scores[:, None] - scores[None, :]) / MARGIN_SCALE
    weight = wanted.abs()
    ranking = (nn.functional.softplus(-found * wanted.sign()) * weight).sum() / weight.sum().clamp_min(1e-6)
    return error + RANKING_WEIGHT * ranking
