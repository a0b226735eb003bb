"""What discarding at random is worth on given pairs: the mean over many draws of a quality for each image."""

import numpy as np

from synfiqa.fiqa_train.evaluation.curve.quality_cuts import cuts_of_ranks
from synfiqa.fiqa_train.evaluation.curve.similarity_tail import Similarities
from synfiqa.fiqa_train.evaluation.edc import Edc, Mode, iso_edc, leaderboard_edc
from synfiqa.fiqa_train.evaluation.intervals import Interval
from synfiqa.fiqa_train.evaluation.pairs import PairTable
from synfiqa.schemas.seeds import derive_seed, generator

RANDOM = "random"
"""Name of the scorer whose figures are a mean of draws; one draw may lie far from 1."""
DRAWS = 200
_GRID = np.arange(20) / 20
_NORMAL_95 = 1.959963984540054


def random_edc(
    pairs: Similarities, table: PairTable, images: int, fmr: float, discard_limit: float, mode: Mode, seed: int
) -> tuple[Edc, Interval]:
    """Return the mean curve and pAUC of DRAWS random qualities of so many images, and the 95 % interval of that mean.

    Curves are averaged at discards of 0, 5, ... 95 %.
    """
    random = generator(derive_seed(seed, "random-draws"))
    curves = []
    first, second = table.first[table.genuine], table.second[table.genuine]
    for _ in range(DRAWS):
        rank = random.permutation(images)
        if mode == "leaderboard":
            cuts = cuts_of_ranks(rank, table.first, table.second, table.genuine)
            curves.append(leaderboard_edc(pairs, cuts, fmr, discard_limit))
        else:
            curves.append(iso_edc(pairs, np.minimum(rank[first], rank[second]), fmr, discard_limit))
    any_curve = curves[0]
    paucs, above, aucs = (np.array([getattr(c, name) for c in curves]) for name in ("pauc", "above_ideal", "auc"))
    used = np.isfinite(paucs)
    mean = Edc(
        mode,
        fmr,
        discard_limit,
        _GRID,
        np.array([_at_grid(c) for c in curves]).mean(axis=0),
        np.full(len(_GRID), any_curve.threshold[0]),
        _mean(paucs),
        _mean(above),
        _mean(aucs),
        any_curve.n_genuine,
        any_curve.n_impostor,
        note=any_curve.note,
    )
    wide = _NORMAL_95 * paucs[used].std(ddof=1) / np.sqrt(used.sum()) if used.sum() > 1 else float("nan")
    return mean, Interval(mean.pauc - wide, mean.pauc + wide, int(used.sum()), DRAWS)


def _at_grid(curve: Edc) -> np.ndarray:
    held = np.searchsorted(curve.discard, _GRID + 1e-9, "right") - 1
    found: np.ndarray = curve.fnmr[held]
    return found


def _mean(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else float("nan")
