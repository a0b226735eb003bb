"""Settings of a leaderboard in which a simple measure foresees errors better than a method, and order agreement."""

from collections.abc import Mapping, Sequence

import numpy as np

from synfiqa.actors.quality.correlation import spearman
from synfiqa.schemas.evaluation import JUDGE, Interval, Method, NetworkComparison
from synfiqa.schemas.leaderboard_result import Beaten, RankCorrelation, SetFigures

_NAMED = ("norm", "mirror", "sharpness", "detector", "random")
_NO_METHODS = ("label", JUDGE)


def is_simple(name: str) -> bool:
    """Return whether a scorer is a simple measure: no training for quality, no calibration, two forwards at most."""
    return name in _NAMED or name.startswith("iso-")


def beaten_by_simple(sets: Sequence[SetFigures]) -> list[Beaten]:
    """Return every method whose pAUC is above that of the best simple measure of its set, judge, mode and FMR.

    Settings whose threshold rests on too few identity pairs (`Comparison.few_carriers`) are passed over.
    """
    counted = [(figures.name, result) for figures in sets for result in figures.results if not result.few_carriers]
    return [one for name, result in counted for one in _beaten(name, result)]


def rank_correlation(quality: Mapping[str, np.ndarray], present: np.ndarray) -> RankCorrelation:
    """Return Spearman's correlation of each two scorers over the units (units,) with a face."""
    names = list(quality)
    columns = [quality[name][present] for name in names]
    values = [
        [1.0 if i == j else round(spearman(a, b), 4) for j, b in enumerate(columns)] for i, a in enumerate(columns)
    ]
    return RankCorrelation(scorers=names, values=values)


def _beaten(name: str, result: NetworkComparison) -> list[Beaten]:
    known = {scorer: method for scorer, method in result.methods.items() if method.pauc is not None}
    simple = {scorer: method for scorer, method in known.items() if is_simple(scorer)}
    if not simple:
        return []
    best = min(simple, key=lambda scorer: _pauc(simple[scorer]))
    own = simple[best]
    return [
        Beaten(
            method=scorer,
            simple=best,
            set=name,
            judge=result.embedder,
            mode=result.mode,
            fmr=result.fmr,
            pauc=_pauc(method),
            simple_pauc=_pauc(own),
            apart=_apart(own.interval, method.interval),
        )
        for scorer, method in known.items()
        if scorer not in simple and scorer not in _NO_METHODS and _pauc(method) > _pauc(own)
    ]


def _pauc(method: Method) -> float:
    assert method.pauc is not None
    return method.pauc


def _apart(lower: Interval | None, higher: Interval | None) -> bool:
    """Return whether two intervals do not overlap."""
    return bool(lower and higher and None not in (lower.high, higher.low) and (lower.high or 0) < (higher.low or 0))
