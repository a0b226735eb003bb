"""Scores against each severity of each factor: rank correlations and lines of medians."""

from collections.abc import Mapping, Sequence

import numpy as np

from synfiqa.actors.quality.correlation import spearman
from synfiqa.fiqa_train.evaluation.compare import number
from synfiqa.schemas.audit import Bin, FactorAudit, Spread
from synfiqa.schemas.factors import FACTORS
from synfiqa.schemas.factors.factor import Factor, Severity

BINS = 8
"""Bins of a line beside the neutral one, at most."""
LEAST = 3
"""Images below which a rank correlation has no value."""


def factor_audits(
    columns: Mapping[str, np.ndarray],
    severities: Mapping[str, np.ndarray],
    quality: np.ndarray,
    plugged: Sequence[Factor] = (),
) -> list[FactorAudit]:
    """Return the audit of scores (N,) by each severity (N,) of the table and of rows of plug-ins.

    `columns` are those of the same samples from which the severities were computed.
    """
    return [
        _audit(row, severity, columns, severities[severity.name], quality)
        for row in (*FACTORS, *plugged)
        for severity in row.severities
    ]


def rank_correlation(one: np.ndarray, other: np.ndarray) -> float | None:
    """Return Spearman's rank correlation, None with fewer than LEAST values or where either are all equal."""
    if len(one) < LEAST or np.ptp(one) == 0 or np.ptp(other) == 0:
        return None
    return number(spearman(one, other))


def spread(scores: np.ndarray) -> Spread:
    """Return number, median and quartiles of scores."""
    if not len(scores):
        return Spread(n=0, median=None, lower=None, upper=None)
    lower, median, upper = np.quantile(scores, [0.25, 0.5, 0.75])
    return Spread(n=len(scores), median=number(median), lower=number(lower), upper=number(upper))


def share(truth: np.ndarray) -> float | None:
    """Return the share of true values (N,), None without any."""
    return number(float(truth.mean())) if len(truth) else None


def _audit(
    row: Factor, severity: Severity, columns: Mapping[str, np.ndarray], harm: np.ndarray, quality: np.ndarray
) -> FactorAudit:
    neutral = harm == 0
    value = np.abs(columns[severity.columns[0]]) if len(severity.columns) == 1 else None
    return FactorAudit(
        factor=row.field,
        severity=severity.name,
        title=row.title,
        unit=row.unit,
        iso=row.iso,
        n=len(harm),
        neutral_share=share(neutral),
        spearman=rank_correlation(quality[~neutral], harm[~neutral]),
        spearman_all=rank_correlation(quality, harm),
        line=[_bin(rows, harm, value, quality) for rows in _bins(harm)],
    )


def _bins(harm: np.ndarray) -> list[np.ndarray]:
    """Return the rows of each bin: the neutral ones, then equal numbers by severity; equal severities stay together."""
    neutral = np.flatnonzero(harm == 0)
    order = np.argsort(harm, kind="stable")[len(neutral) :]
    sorted_harm = harm[order]
    cuts = [len(order) * cut // BINS for cut in range(1, BINS)] if len(order) >= 2 * BINS else []
    # A cut inside a run of equal severities moves to the start of the run.
    starts = sorted({int(np.searchsorted(sorted_harm, sorted_harm[cut], "left")) for cut in cuts} - {0})
    return [rows for rows in (neutral, *np.split(order, starts)) if len(rows)]


def _bin(rows: np.ndarray, harm: np.ndarray, value: np.ndarray | None, quality: np.ndarray) -> Bin:
    return Bin(
        **dict(spread(quality[rows])),
        severity=float(round(float(np.median(harm[rows])), 6)),
        low=float(round(float(harm[rows].min()), 6)),
        high=float(round(float(harm[rows].max()), 6)),
        value=None if value is None or np.isnan(value[rows]).all() else number(float(np.nanmedian(value[rows])), 6),
    )
