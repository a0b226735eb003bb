"""EDC and pAUC of several qualities on the same verification pairs."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from synfiqa.fiqa_train.evaluation.edc import MODES, Edc, Mode, Pairs, check_resolution, pair_quality
from synfiqa.fiqa_train.evaluation.intervals import Interval as Bounds
from synfiqa.fiqa_train.evaluation.intervals import bootstrap_pauc
from synfiqa.fiqa_train.evaluation.pairs import PairTable
from synfiqa.schemas.evaluation import Comparison, Difference, Interval, Method, Skipped

CURVE_POINTS = 201
"""Largest number of points of a stored curve; pAUC is computed on the whole curve."""


@dataclass(frozen=True)
class Protocol:
    """Settings of an evaluation: target FMRs, discard limit R, number of bootstrap resamples and their seed."""

    fmr: Sequence[float]
    discard_limit: float
    resamples: int
    seed: int


def resolvable(fmrs: Sequence[float], n_genuine: int, n_impostor: int) -> tuple[list[float], list[Skipped]]:
    """Return the FMRs that so many pairs can resolve, and the others with the reason, one sentence each."""
    kept, skipped = [], []
    for fmr in fmrs:
        try:
            check_resolution(fmr, n_genuine, n_impostor)
            kept.append(fmr)
        except ValueError as error:
            skipped.append(Skipped(fmr=fmr, reason=str(error)))
    return kept, skipped


def model_versus(methods: Sequence[str]) -> list[tuple[str, str]]:
    """Return the pairs of methods whose pAUC are compared with a paired interval: the model and each other one.

    The label comes last.
    """
    return [("model", other) for other in sorted(methods, key=lambda name: name == "label") if other != "model"]


def compare(
    qualities: Mapping[str, np.ndarray],
    similarity: np.ndarray,
    table: PairTable,
    identities: np.ndarray,
    protocol: Protocol,
    versus: Sequence[tuple[str, str]] = (),
) -> list[Comparison]:
    """Return one result per mode and FMR: every method's curve and pAUC, intervals, and paired differences.

    `qualities` holds (images,) per method, `similarity` (pairs,), `identities` (images,). With no resamples the
    intervals are None.
    """
    methods = {
        name: Pairs(similarity, table.genuine, pair_quality(quality[table.first], quality[table.second]))
        for name, quality in qualities.items()
    }
    first, second = identities[table.first], identities[table.second]
    return [_result(methods, first, second, mode, fmr, protocol, versus) for mode in MODES for fmr in protocol.fmr]


def _result(
    methods: Mapping[str, Pairs],
    first: np.ndarray,
    second: np.ndarray,
    mode: Mode,
    fmr: float,
    protocol: Protocol,
    versus: Sequence[tuple[str, str]],
) -> Comparison:
    limit = protocol.discard_limit
    curves = {name: pairs.edc(fmr, limit, mode) for name, pairs in methods.items()}
    draws = None
    if protocol.resamples:
        draws = bootstrap_pauc(methods, first, second, fmr, limit, mode, protocol.resamples, protocol.seed)
    any_curve = next(iter(curves.values()))
    return Comparison(
        mode=mode,
        fmr=fmr,
        discard_limit=limit,
        fnmr0=number(any_curve.fnmr0),
        threshold0=number(float(any_curve.threshold[0])),
        n_genuine=any_curve.n_genuine,
        n_impostor=any_curve.n_impostor,
        methods={name: _method(curve, draws.interval(name) if draws else None) for name, curve in curves.items()},
        differences=[
            Difference(
                method=one,
                other=other,
                difference=number(curves[one].pauc - curves[other].pauc),
                interval=_interval(draws.difference(one, other) if draws else None),
            )
            for one, other in versus
        ],
    )


def _method(curve: Edc, interval: Bounds | None) -> Method:
    rows = np.arange(len(curve.discard))
    if len(rows) > CURVE_POINTS:
        rows = np.unique(np.linspace(0, len(rows) - 1, CURVE_POINTS).round().astype(int))
    return Method(
        pauc=number(curve.pauc),
        note=curve.note,
        discard=[round(float(value), 6) for value in curve.discard[rows]],
        fnmr=[number(float(value), 6) for value in curve.fnmr[rows]],
        interval=_interval(interval),
    )


def _interval(interval: Bounds | None) -> Interval | None:
    if interval is None:
        return None
    return Interval(**asdict(interval) | {"low": number(interval.low), "high": number(interval.high)})


def number(value: float, digits: int = 8) -> float | None:
    """Return a finite number rounded for JSON, None for NaN and infinity."""
    return round(float(value), digits) if math.isfinite(value) else None
