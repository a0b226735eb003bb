"""The scale of centred labels, and labels on it; ranks and s_d are recorded beside them and decide nothing."""

import numpy as np

from synfiqa.fiqa_train.labels.centred.cosines import HIGH, LOW, label_of
from synfiqa.fiqa_train.labels.fusion import Components, Labels, factors_of, labels_of, place_in
from synfiqa.fiqa_train.labels.ranks import Ranked, decile_of, group_bounds, rank_factor, rank_table, shares_of
from synfiqa.schemas.calibration import CentredSpace, Scale

PERCENTILES = (5, 50, 95)
"""Percentiles of the labels of the references that a scale records."""


def fit_centred(
    components: Components, cosines: np.ndarray, references: np.ndarray, space: CentredSpace
) -> tuple[Scale, Ranked]:
    """Return the scale of centred labels and the ranks of the samples, whose factors are overwritten with them.

    cosines: mean cosines of the samples, float32 (N,). references: those of the references, (R,). ValueError when all
    cosines of the samples are equal.
    """
    count = len(cosines)
    raw = np.sort(cosines.astype(np.float64))
    if raw[0] == raw[-1]:
        raise ValueError(f"all {count} centred cosines equal {raw[0]:g}")
    (yaw, yaw_ranks), (downsample, downsample_ranks), (blur, blur_ranks) = map(rank_factor, factors_of(components))
    own = references[np.isfinite(references)]
    stated = np.round(np.percentile(label_of(own), PERCENTILES), 6).tolist() if len(own) else []
    scale = Scale(
        samples=count,
        spatial_weight=0.0,
        vision_language_weight=0.0,
        centred=space.model_copy(update={"reference_labels": stated}),
        yaw=yaw,
        downsample=downsample,
        blur=blur,
        raw=rank_table(raw),
        raw_min=LOW,
        raw_max=HIGH,
    )
    return scale, Ranked((yaw_ranks, downsample_ranks, blur_ranks), group_bounds(raw))


def centred_labels(scale: Scale, components: Components, cosines: np.ndarray, ranked: Ranked | None) -> Labels:
    """Return the labels of N samples on a scale with a space; without `ranked` the scale is of other samples.

    A label depends on the sample's own cosine alone.
    """
    raw = cosines.astype(np.float64)
    if ranked is None:
        tables = zip((scale.yaw, scale.downsample, scale.blur), factors_of(components), strict=True)
        shares = [shares_of(place_in(table, factor), scale.samples) for table, factor in tables]
        deciles = decile_of(place_in(scale.raw, raw), scale.samples)
    else:
        shares, deciles = ranked.shares(scale.samples), np.searchsorted(ranked.bounds, raw, "right")
    spatial = np.minimum(np.minimum(shares[0], shares[1]), shares[2])
    return labels_of(scale, shares, spatial, raw, deciles)
