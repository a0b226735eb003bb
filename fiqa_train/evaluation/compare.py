"""EDC and pAUC of several qualities on the same verification pairs."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from synfiqa.fiqa_train.evaluation.curve.similarity_tail import Similarities
from synfiqa.fiqa_train.evaluation.curve.thresholds import check_resolution
from synfiqa.fiqa_train.evaluation.edc import MODES, Edc, Mode, edc_of, pair_quality
from synfiqa.fiqa_train.evaluation.intervals import Bootstrap, bootstrap_pauc
from synfiqa.fiqa_train.evaluation.intervals import Interval as Bounds
from synfiqa.fiqa_train.evaluation.pairs import PairTable
from synfiqa.fiqa_train.evaluation.random_quality import RANDOM, random_edc
from synfiqa.fiqa_train.evaluation.weighted_pairs import WeightedPairs
from synfiqa.schemas.evaluation import JUDGE, Comparison, Difference, Interval, Method, NetworkComparison, Skipped

CURVE_POINTS = 201
"""Largest number of points of a stored curve; pAUC is computed on the whole curve."""


@dataclass(frozen=True)
class Protocol:
    """Settings of an evaluation: target FMRs, discard limit R, bootstrap resamples and their seed, modes of curves."""

    fmr: Sequence[float]
    discard_limit: float
    resamples: int
    seed: int
    modes: tuple[Mode, ...] = MODES


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
    intervals are None. The figures of `random` are a mean of draws, with the interval of that mean, so that it is in no
    difference.
    """
    versus = [pair for pair in versus if RANDOM not in pair]
    pairs, people = Similarities(similarity, table.genuine), identity_pairs(table, identities)
    pairwise = {
        name: pair_quality(quality[table.first], quality[table.second])
        for name, quality in qualities.items()
        if name != RANDOM
    }
    weighted = {
        name: WeightedPairs(similarity, table.genuine, quality)
        for name, quality in pairwise.items()
        if protocol.resamples
    }
    found = []
    for mode in protocol.modes:
        for fmr in protocol.fmr:
            curves = {
                name: edc_of(pairs, quality, fmr, protocol.discard_limit, mode, people)
                for name, quality in pairwise.items()
            }
            draws = _draws(weighted, identities, table, fmr, mode, protocol) if weighted else None
            methods = {name: _method(curve, draws.interval(name) if draws else None) for name, curve in curves.items()}
            if RANDOM in qualities:
                images = len(qualities[RANDOM])
                methods[RANDOM] = _method(
                    *random_edc(pairs, table, images, fmr, protocol.discard_limit, mode, protocol.seed)
                )
            any_curve = next(iter(curves.values()), None) or edc_of(
                pairs, np.zeros(len(similarity)), fmr, protocol.discard_limit, mode, people
            )
            found.append(_comparison(any_curve, methods, _differences(curves, draws, versus)))
    return found


def judged(
    judge: str,
    labelling: str,
    qualities: Mapping[str, np.ndarray],
    similarity: np.ndarray,
    table: PairTable,
    identities: np.ndarray,
    protocol: Protocol,
    versus: Sequence[tuple[str, str]],
    recognition: np.ndarray | None = None,
) -> list[NetworkComparison]:
    """Return what `compare` does, by one recognition network; without intervals for the one named `labelling`.

    `recognition` (images,), where the set has references, is that of this network: it becomes the method JUDGE, unless
    an image of the pairs has none (NaN).
    """
    independent = judge != labelling
    if recognition is not None and np.isfinite(recognition[np.append(table.first, table.second)]).all():
        qualities = {**qualities, JUDGE: np.nan_to_num(recognition)}
    own = protocol if independent else replace(protocol, resamples=0)
    found = compare(qualities, similarity, table, identities, own, versus)
    return [NetworkComparison(embedder=judge, independent=independent, **dict(one)) for one in found]


def identity_pairs(table: PairTable, identities: np.ndarray) -> np.ndarray:
    """Return a number for the two identities of each pair (N,), whatever their order; `identities` (images,)."""
    people, numbers = np.unique(identities, return_inverse=True)
    first, second = numbers[table.first], numbers[table.second]
    found: np.ndarray = np.minimum(first, second) * len(people) + np.maximum(first, second)
    return found


def _draws(
    weighted: Mapping[str, WeightedPairs],
    identities: np.ndarray,
    table: PairTable,
    fmr: float,
    mode: Mode,
    protocol: Protocol,
) -> Bootstrap:
    first, second = identities[table.first], identities[table.second]
    limit = protocol.discard_limit
    return bootstrap_pauc(weighted, first, second, fmr, limit, mode, protocol.resamples, protocol.seed)


def _comparison(curve: Edc, methods: dict[str, Method], differences: list[Difference]) -> Comparison:
    return Comparison(
        mode=curve.mode,
        fmr=curve.fmr,
        discard_limit=curve.discard_limit,
        fnmr0=number(curve.fnmr0),
        threshold0=number(float(curve.threshold[0])),
        n_genuine=curve.n_genuine,
        n_impostor=curve.n_impostor,
        carriers=curve.carriers,
        few_carriers=curve.few_carriers,
        methods=methods,
        differences=differences,
    )


def _differences(
    curves: Mapping[str, Edc], draws: Bootstrap | None, versus: Sequence[tuple[str, str]]
) -> list[Difference]:
    return [
        Difference(
            method=one,
            other=other,
            difference=number(curves[one].pauc - curves[other].pauc),
            interval=interval_record(draws.difference(one, other) if draws else None),
        )
        for one, other in versus
    ]


def _method(curve: Edc, interval: Bounds | None) -> Method:
    rows = np.arange(len(curve.discard))
    if len(rows) > CURVE_POINTS:
        rows = np.unique(np.linspace(0, len(rows) - 1, CURVE_POINTS).round().astype(int))
    return Method(
        pauc=number(curve.pauc),
        above_ideal=number(curve.above_ideal),
        auc=number(curve.auc),
        note=curve.note,
        discard=[round(float(value), 6) for value in curve.discard[rows]],
        fnmr=[number(float(value), 6) for value in curve.fnmr[rows]],
        interval=interval_record(interval),
    )


def interval_record(interval: Bounds | None) -> Interval | None:
    """Return an interval as a result holds it."""
    if interval is None:
        return None
    return Interval(**asdict(interval) | {"low": number(interval.low), "high": number(interval.high)})


def number(value: float, digits: int = 8) -> float | None:
    """Return a finite number rounded for JSON, None for NaN and infinity."""
    return round(float(value), digits) if math.isfinite(value) else None
