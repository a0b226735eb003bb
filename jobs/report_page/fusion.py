"""Weights of the label formula, and the cost of each factor where costs were fitted, as text."""

from dataclasses import dataclass

from synfiqa.schemas.calibration import Calibration, Costs
from synfiqa.schemas.config.learn import Spatial

SHOWN_FROM = 0.01
"""Least cost that the table shows."""


@dataclass(frozen=True)
class Fusion:
    """The formula as text. `costs`: factor in words and its cost at the worst of the run, largest first.

    `spatial` is ranks or costs. `weight` and `share` are lambda and kappa as text; `share` is empty for 1. `match` is
    the match threshold as text, empty where f_r is fused as the cosine. `scorer` is the quality scorer whose scores are
    the labels, empty where they are fused; `ranked` where its card has no scale. `centred` is the embedder of centred
    and `relative` labels, empty for others.
    """

    spatial: Spatial
    weight: str
    share: str
    match: str
    mirrored: bool
    costs: list[tuple[str, str]]
    scorer: str
    ranked: bool
    centred: str
    relative: bool


def fusion(calibration: Calibration) -> Fusion:
    """Return the fusion of a label pass."""
    scale = calibration.scale
    kappa = scale.vision_language_weight
    return Fusion(
        spatial=scale.spatial,
        weight=f"{scale.spatial_weight:g}",
        share="" if kappa == 1 else f"{kappa:g}",
        match="" if scale.match_threshold is None else f"{scale.match_threshold:g}",
        mirrored=calibration.mirrored,
        costs=[] if scale.costs is None else _table(scale.costs),
        scorer="" if scale.scorer is None else scale.scorer.name,
        centred="" if scale.centred is None else scale.centred.embedder,
        relative=scale.form == "relative",
        ranked=scale.scorer is not None and scale.scorer.midpoint is None,
    )


def _table(costs: Costs) -> list[tuple[str, str]]:
    largest = sorted(costs.factors, key=lambda cost: -cost.at_top)
    return [(cost.factor.replace("_", " "), f"{cost.at_top:.2f}") for cost in largest if cost.at_top >= SHOWN_FROM]
