"""Quality labels from raw components (MR-FIQA): ranks or costs, fusion, min-max, decile groups."""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from synfiqa.fiqa_train.labels.costs import fit_costs, kept
from synfiqa.fiqa_train.labels.severities import Severities
from synfiqa.schemas.calibration import RankTable, Scale

GROUPS = 10
"""Decile groups, Q0 (worst) to Q9 (best)."""

TABLE_LIMIT = 65_536
"""Largest length of a scale's rank table. Shorter tables are exact; longer ones are thinned, with an error of at most
2 / TABLE_LIMIT in the frozen share (N - rank) / N."""


@dataclass(frozen=True)
class Components:
    """Raw components of N degraded samples, float32 or float64 (N,); every value finite and `vision_language` < 1.

    recognition: f_r, cosine in [-1, 1]. vision_language: v_l, cosine in [-1, 1). yaw: |yaw| in degrees.
    downsample, blur: factors s and b, >= 1. Labels are float64 either way.
    """

    recognition: np.ndarray
    vision_language: np.ndarray
    yaw: np.ndarray
    downsample: np.ndarray
    blur: np.ndarray


@dataclass(frozen=True)
class Labels:
    """Labels of N samples in the order of their components; column names as in `synfiqa.schemas.rows.LABELS`."""

    yaw_rank: np.ndarray
    downsample_rank: np.ndarray
    blur_rank: np.ndarray
    spatial: np.ndarray
    raw: np.ndarray
    quality: np.ndarray
    group: np.ndarray
    clipped: int


def invalid(components: Components) -> np.ndarray:
    """Return bool (N,), True where a component is not finite or v_l >= 1, so that no label exists."""
    columns = vars(components).values()
    return ~np.logical_and.reduce([np.isfinite(column) for column in columns]) | ~(components.vision_language < 1)


def fit(
    components: Components,
    spatial_weight: float,
    vision_language_weight: float = 1.0,
    severities: Severities | None = None,
    match_threshold: float | None = None,
    match_width: float = 0.08,
) -> tuple[Scale, Labels]:
    """Label samples among themselves: exact average ranks over all of them, global min and max.

    m = (f_r + lambda * s_d) / (1 - kappa * v_l), then min-max to 0..1. s_d = min over three factors of (N - rank) / N;
    with `severities` of the samples it is 1 less the costs that fit their f_r (`synfiqa.fiqa_train.labels.costs`). With
    a match threshold f_r enters m as the chance of a match (`match_chance`); costs are fitted to the cosine in both
    cases. ValueError when all raw labels are equal (or there is only one), because min-max is undefined then.
    """
    count = len(components.yaw)
    # Costs before ranks, so that the temporaries of both are not in memory at once.
    costs = by_costs = None
    if severities is not None:
        costs = fit_costs(severities, components.recognition)
        by_costs = kept(costs, severities)
    tables, shares = [], []
    for factor in _factors(components):
        table, ranks = _ranked(factor)
        tables.append(table)
        shares.append(_shares(ranks, count))
    spatial = _least(shares) if by_costs is None else by_costs
    recognised = match_chance(components.recognition, match_threshold, match_width)
    raw = _fuse(recognised, spatial, spatial_weight, components.vision_language, vision_language_weight)
    if raw.min() == raw.max():
        raise ValueError(f"all {count} raw labels equal {raw[0]:g}")
    raw_table, raw_ranks = _ranked(raw)
    scale = Scale(
        samples=count,
        spatial_weight=spatial_weight,
        vision_language_weight=vision_language_weight,
        match_threshold=match_threshold,
        match_width=match_width,
        costs=costs,
        yaw=tables[0],
        downsample=tables[1],
        blur=tables[2],
        raw=raw_table,
        raw_min=float(raw.min()),
        raw_max=float(raw.max()),
    )
    return scale, _labels(scale, shares, spatial, raw, raw_ranks)


def apply(scale: Scale, components: Components, severities: Severities | None = None) -> Labels:
    """Label samples on a frozen scale: ranks interpolated in its tables, quality clipped to 0..1, with their number.

    A sample's label depends on the sample and the scale alone, so appended data changes no older label. A scale with
    costs needs the samples' severities (ValueError without them).
    """
    tables = (scale.yaw, scale.downsample, scale.blur)
    shares = [
        _shares(_interpolate(table, factor), scale.samples)
        for table, factor in zip(tables, _factors(components), strict=True)
    ]
    if scale.costs is None:
        spatial = _least(shares)
    elif severities is None:
        raise ValueError("a scale with costs needs the severities of the samples")
    else:
        spatial = kept(scale.costs, severities)
    recognised = match_chance(components.recognition, scale.match_threshold, scale.match_width)
    raw = _fuse(recognised, spatial, scale.spatial_weight, components.vision_language, scale.vision_language_weight)
    return _labels(scale, shares, spatial, raw, _interpolate(scale.raw, raw))


def match_chance(recognition: np.ndarray, threshold: float | None, width: float) -> np.ndarray:
    """Return f_r as it enters the fusion: as measured without a threshold, else the chance of a match, float64 (N,).

    The chance is a logistic curve of f_r, 1/2 at the threshold. Only differences near the decision threshold matter.
    """
    if threshold is None:
        return recognition
    chance: np.ndarray = expit((recognition.astype(np.float64) - threshold) / width)
    return chance


def _factors(components: Components) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return components.yaw, components.downsample, components.blur


def _ranked(values: np.ndarray) -> tuple[RankTable, np.ndarray]:
    """Return rank table and average ranks (1..N) from one sort, at N = 10^7 the largest temporary of a label pass."""
    order = np.argsort(values)
    ascending = values[order]
    first = np.flatnonzero(np.concatenate([[True], ascending[1:] != ascending[:-1]]))
    distinct = ascending[first]
    del ascending
    ties = np.diff(first, append=len(values))
    average = first + (ties + 1) / 2
    table = _table(distinct, average, len(values))
    ranks = np.empty(len(values))
    ranks[order] = np.repeat(average, ties)
    return table, ranks


def _table(distinct: np.ndarray, ranks: np.ndarray, count: int) -> RankTable:
    if len(distinct) > TABLE_LIMIT:
        # Both ends of each interval of ranks stay, so that the jump at a heavily tied value is not interpolated.
        interval = np.floor((ranks - 1) / count * (TABLE_LIMIT // 2))
        change = np.flatnonzero(np.diff(interval))
        kept = np.unique(np.concatenate([[0], change, change + 1, [len(distinct) - 1]]))
        distinct, ranks = distinct[kept], ranks[kept]
    return RankTable(values=distinct.tolist(), ranks=ranks.tolist())


def _interpolate(table: RankTable, values: np.ndarray) -> np.ndarray:
    return np.interp(values, table.values, table.ranks)


def _shares(ranks: np.ndarray, count: int) -> np.ndarray:
    np.subtract(count, ranks, out=ranks)
    ranks /= count
    return ranks


def _least(shares: list[np.ndarray]) -> np.ndarray:
    least = shares[0].copy()
    for other in shares[1:]:
        np.minimum(least, other, out=least)
    return least


def _fuse(
    recognised: np.ndarray,
    spatial: np.ndarray,
    spatial_weight: float,
    vision_language: np.ndarray,
    vision_language_weight: float,
) -> np.ndarray:
    raw = spatial_weight * spatial
    raw += recognised
    # In float64: 1 - v_l rounded to float32 would change labels.
    rest = np.multiply(vision_language, -vision_language_weight, dtype=np.float64)
    rest += 1
    raw /= rest
    return raw


def _labels(
    scale: Scale, shares: list[np.ndarray], spatial: np.ndarray, raw: np.ndarray, raw_ranks: np.ndarray
) -> Labels:
    decile = np.clip(np.floor(GROUPS * (raw_ranks - 0.5) / scale.samples), 0, GROUPS - 1).astype(np.int8)
    quality = (raw - scale.raw_min) / (scale.raw_max - scale.raw_min)
    clipped = int(np.count_nonzero((quality < 0) | (quality > 1)))
    return Labels(
        yaw_rank=shares[0],
        downsample_rank=shares[1],
        blur_rank=shares[2],
        spatial=spatial,
        raw=raw,
        quality=np.clip(quality, 0, 1, out=quality),
        group=np.array([f"Q{index}" for index in range(GROUPS)])[decile],
        clipped=clipped,
    )
