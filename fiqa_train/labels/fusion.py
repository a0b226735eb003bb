"""Quality labels from raw components (MR-FIQA): ranks or costs, fusion, min-max, decile groups."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import expit

from synfiqa.fiqa_train.labels.costs import fit_costs, kept
from synfiqa.fiqa_train.labels.ranks import (
    BLOCK,
    GROUPS,
    Ranked,
    decile_of,
    group_bounds,
    rank_factor,
    rank_table,
    shares_of,
)
from synfiqa.fiqa_train.labels.severities import Severities
from synfiqa.schemas.calibration import RankTable, Scale
from synfiqa.schemas.config.learn import Ends


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
    ends: Ends | None = None,
) -> tuple[Scale, Labels]:
    """Label samples among themselves: exact average ranks over all of them, global min and max or percentiles (`ends`).

    m = (f_r + lambda * s_d) / (1 - kappa * v_l), then min-max to 0..1. s_d = min over three factors of (N - rank) / N;
    with `severities` of the samples it is 1 less the costs that fit their f_r (`synfiqa.fiqa_train.labels.costs`). With
    a match threshold f_r enters m as the chance of a match (`match_chance`); costs are fitted to the cosine in both
    cases. ValueError when all raw labels are equal (or there is only one), because min-max is undefined then.
    """
    factors = {name: getattr(components, name).copy() for name in ("yaw", "downsample", "blur")}
    own = replace(components, **factors)
    scale, ranked = fit_scale(
        own, spatial_weight, vision_language_weight, severities, match_threshold, match_width, ends
    )
    return scale, label_ranked(scale, ranked, own.recognition, own.vision_language, severities)


def fit_scale(
    components: Components,
    spatial_weight: float,
    vision_language_weight: float,
    severities: Severities | None,
    match_threshold: float | None,
    match_width: float,
    ends: Ends | None = None,
) -> tuple[Scale, Ranked]:
    """Return the scale of `fit` and the ranks from which `label_ranked` makes the labels of some rows or of all.

    The three factors are overwritten with their ranks where they are float32: at 10^8 samples columns, ranks and the
    sorted raw labels are in 3 GB. ValueError as there.
    """
    count = len(components.yaw)
    costs = None if severities is None else fit_costs(severities, components.recognition)
    (yaw, yaw_ranks), (downsample, downsample_ranks), (blur, blur_ranks) = map(rank_factor, factors_of(components))
    ranked = Ranked((yaw_ranks, downsample_ranks, blur_ranks), np.empty(0))
    # Everything but what the raw labels decide.
    scale = Scale(
        samples=count,
        spatial_weight=spatial_weight,
        vision_language_weight=vision_language_weight,
        match_threshold=match_threshold,
        match_width=match_width,
        ends=ends,
        costs=costs,
        yaw=yaw,
        downsample=downsample,
        blur=blur,
        raw=RankTable(values=[], ranks=[]),
        raw_min=0.0,
        raw_max=0.0,
    )
    raw = np.empty(count)
    for start in range(0, count, BLOCK):
        rows = slice(start, start + BLOCK)
        own = None if severities is None else {name: values[rows] for name, values in severities.items()}
        spatial = _spatial(scale, ranked.cut(rows).shares(count), own)
        raw[rows] = _raw(scale, components.recognition[rows], spatial, components.vision_language[rows])
    raw.sort()
    if raw[0] == raw[-1]:
        raise ValueError(f"all {count} raw labels equal {raw[0]:g}")
    low, high = (raw[0], raw[-1]) if ends is None else np.percentile(raw, ends)
    if low == high:
        raise ValueError(f"the raw labels at both percentiles {list(ends or ())} equal {low:g}, so widen label.ends")
    fitted = {"raw": rank_table(raw), "raw_min": float(low), "raw_max": float(high)}
    return scale.model_copy(update=fitted), replace(ranked, bounds=group_bounds(raw))


def label_ranked(
    scale: Scale,
    ranked: Ranked,
    recognition: np.ndarray,
    vision_language: np.ndarray,
    severities: Severities | None = None,
) -> Labels:
    """Label samples that the scale was fitted to, from their ranks; a sample's label depends on its own row alone."""
    shares = ranked.shares(scale.samples)
    spatial = _spatial(scale, shares, severities)
    raw = _raw(scale, recognition, spatial, vision_language)
    return labels_of(scale, shares, spatial, raw, np.searchsorted(ranked.bounds, raw, "right"))


def apply(scale: Scale, components: Components, severities: Severities | None = None) -> Labels:
    """Label samples on a frozen scale: ranks interpolated in its tables, quality clipped to 0..1, with their number.

    A sample's label depends on the sample and the scale alone, so appended data changes no older label. A scale with
    costs needs the samples' severities, and one of centred labels is none of components (ValueError for both).
    """
    if scale.centred is not None:
        raise ValueError("a scale of centred labels needs vectors of the samples")
    tables = (scale.yaw, scale.downsample, scale.blur)
    shares = [
        shares_of(place_in(table, factor), scale.samples)
        for table, factor in zip(tables, factors_of(components), strict=True)
    ]
    spatial = _spatial(scale, shares, severities)
    raw = _raw(scale, components.recognition, spatial, components.vision_language)
    return labels_of(scale, shares, spatial, raw, decile_of(place_in(scale.raw, raw), scale.samples))


def match_chance(recognition: np.ndarray, threshold: float | None, width: float) -> np.ndarray:
    """Return f_r as it enters the fusion: as measured without a threshold, else the chance of a match, float64 (N,).

    The chance is a logistic curve of f_r, 1/2 at the threshold. Only differences near the decision threshold matter.
    """
    if threshold is None:
        return recognition
    chance: np.ndarray = expit((recognition.astype(np.float64) - threshold) / width)
    return chance


def factors_of(components: Components) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return |yaw|, s and b, (N,) each."""
    return components.yaw, components.downsample, components.blur


def place_in(table: RankTable, values: np.ndarray) -> np.ndarray:
    """Return the ranks of values (N,) in a table, linear between its values, float64 (N,)."""
    return np.interp(values, table.values, table.ranks)


def _spatial(scale: Scale, shares: list[np.ndarray], severities: Severities | None) -> np.ndarray:
    """Return s_d: the least of three shares, or by the costs of the scale."""
    if scale.costs is not None:
        if severities is None:
            raise ValueError("a scale with costs needs the severities of the samples")
        return kept(scale.costs, severities)
    return np.minimum(np.minimum(shares[0], shares[1]), shares[2])


def _raw(scale: Scale, recognition: np.ndarray, spatial: np.ndarray, vision_language: np.ndarray) -> np.ndarray:
    recognised = match_chance(recognition, scale.match_threshold, scale.match_width)
    return _fuse(recognised, spatial, scale.spatial_weight, vision_language, scale.vision_language_weight)


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


def labels_of(
    scale: Scale, shares: list[np.ndarray], spatial: np.ndarray, raw: np.ndarray, deciles: np.ndarray
) -> Labels:
    """Return labels: raw (N,) clipped to the range of the scale and brought to 0..1, and what is recorded beside it."""
    quality = (raw - scale.raw_min) / (scale.raw_max - scale.raw_min)
    clipped = int(np.count_nonzero((quality < 0) | (quality > 1)))
    return Labels(
        yaw_rank=shares[0],
        downsample_rank=shares[1],
        blur_rank=shares[2],
        spatial=spatial,
        raw=raw,
        quality=np.clip(quality, 0, 1, out=quality),
        group=np.array([f"Q{index}" for index in range(GROUPS)])[deciles],
        clipped=clipped,
    )
