"""pAUC of pairs that are counted several times or not at all, as a bootstrap draws them."""

import math
from collections.abc import Callable

import numpy as np

from synfiqa.fiqa_train.evaluation.curve.areas import normalised, step_area, trapezoid_area
from synfiqa.fiqa_train.evaluation.curve.quality_cuts import STEPS
from synfiqa.fiqa_train.evaluation.curve.thresholds import iso_threshold, nearest_threshold
from synfiqa.fiqa_train.evaluation.edc import Mode, checked


class WeightedPairs:
    """Pairs sorted once by quality and once by similarity, for many pAUC at little cost.

    `weights` are whole multiplicities: the result equals that of the pairs repeated so often.
    """

    def __init__(self, similarity: np.ndarray, genuine: np.ndarray, quality: np.ndarray) -> None:
        similarity, genuine, quality = checked(similarity, genuine, quality)
        self._by_quality = np.argsort(quality)
        self._level_ends, level = _levels(quality, self._by_quality)
        ascending = np.argsort(similarity)
        is_genuine = genuine[ascending]
        self._genuines, self._impostors = ascending[is_genuine], ascending[~is_genuine][::-1]
        self._genuine_similarity = similarity[self._genuines]
        self._impostor_similarity = similarity[self._impostors]
        self._genuine_level, self._impostor_level = level[self._genuines], level[self._impostors]
        self._genuines_by_quality = self._by_quality[genuine[self._by_quality]]
        self._similarity, self._quality = similarity, quality

    def pauc(self, fmr: float, discard_limit: float, mode: Mode, weights: np.ndarray) -> float:
        """Return pAUC of the pairs, pair k counted `weights[k]` times; NaN where it has no value."""
        weights = np.asarray(weights, np.float64)
        if mode == "leaderboard":
            last_step = min(STEPS - 1, int(np.ceil(discard_limit * STEPS - 1e-9)))
            discard, fnmr = self._leaderboard(fmr, weights, last_step)
            area = trapezoid_area(discard, fnmr, discard_limit)
        else:
            discard, fnmr = self._iso(fmr, weights)
            area = step_area(discard, fnmr, discard_limit)
        return normalised(area, discard_limit, float(fnmr[0]))[0]

    def _leaderboard(self, fmr: float, weights: np.ndarray, last_step: int) -> tuple[np.ndarray, np.ndarray]:
        upto = np.cumsum(weights[self._by_quality])
        fnmr = [self._at(fmr, weights, upto, step) for step in range(last_step + 1)]
        return np.arange(last_step + 1) / STEPS, np.array(fnmr)

    def _at(self, fmr: float, weights: np.ndarray, upto: np.ndarray, step: int) -> float:
        """Return FNMR after discarding floor(r * N) pairs in order of quality, r = step / 20."""
        # Whole twentieths, since floor(0.15 * 100) is 14 in binary floating point.
        gone = int(upto[-1]) * step // STEPS
        cut, tied, untouched = self._cut(upto, gone)

        def left(pairs: np.ndarray, level: np.ndarray) -> np.ndarray:
            return weights[pairs] * ((level == cut) * tied + (level > cut) * untouched)

        genuine_weights = left(self._genuines, self._genuine_level)
        n_genuine = genuine_weights.sum()
        n_impostor = (upto[-1] - gone) * untouched - n_genuine
        if n_genuine == 0 or n_impostor == 0:
            return float("nan")
        genuines = self._genuine_similarity[genuine_weights > 0]
        threshold = self._threshold(
            fmr,
            lambda look: left(self._impostors[:look], self._impostor_level[:look]),
            lambda impostors, counts, whole: nearest_threshold(fmr, n_impostor, impostors, counts, genuines, whole),
        )
        assert threshold is not None, "all impostors determine the nearest one"
        rejected = genuine_weights[: np.searchsorted(self._genuine_similarity, threshold, "right")].sum()
        return float(rejected / n_genuine)

    def _cut(self, upto: np.ndarray, gone: int) -> tuple[int, int, int]:
        """Return the quality level that is discarded in part, and the weights left of a pair of it and of one above it.

        Pairs tied there keep equal weights. Both weights are whole numbers, so that sums are exact in any order.
        """
        first = int(np.searchsorted(upto, gone, "right"))
        if first == len(upto):
            return len(self._level_ends), 0, 1
        cut = int(np.searchsorted(self._level_ends, first))
        end, before = upto[self._level_ends[cut]], upto[self._level_ends[cut - 1]] if cut else 0
        left, whole = int(end - gone), int(end - before)
        unit = math.gcd(left, whole)
        return cut, left // unit, whole // unit

    def _iso(self, fmr: float, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        present = self._genuines_by_quality[weights[self._genuines_by_quality] > 0]
        n_impostor = weights.sum() - weights[present].sum()
        if not len(present) or n_impostor == 0:
            return np.zeros(1), np.full(1, np.nan)
        threshold = self._threshold(
            fmr,
            lambda look: weights[self._impostors[:look]],
            lambda impostors, counts, _: iso_threshold(fmr, n_impostor, impostors, counts),
        )
        weight, quality = weights[present], self._quality[present]
        missed = self._similarity[present] <= (-np.inf if threshold is None else threshold)
        rejected, gone = np.cumsum(weight * missed), np.cumsum(weight)
        # The last pair of each quality value but the highest.
        last = np.flatnonzero(quality[1:] != quality[:-1])
        discard = np.append(0.0, gone[last] / gone[-1])
        fnmr = np.append(rejected[-1] / gone[-1], (rejected[-1] - rejected[last]) / (gone[-1] - gone[last]))
        return discard, fnmr

    def _threshold(
        self,
        fmr: float,
        weights_of: Callable[[int], np.ndarray],
        choose: Callable[[np.ndarray, np.ndarray, bool], float | None],
    ) -> float | None:
        """Return what `choose` makes of the most similar impostors; None where all of them do not suffice.

        `weights_of` returns the weights (look,) of so many of them; `choose` takes the similarities of those that
        count, their cumulated weights, and whether they are all.
        """
        # Only the most similar impostors decide: double their number until their count exceeds the target.
        look, whole = int(2 * fmr * len(self._impostors)) + 16, False
        while not whole:
            whole = look >= len(self._impostors)
            weights = weights_of(look)
            present = weights > 0
            found = choose(self._impostor_similarity[:look][present], np.cumsum(weights[present]), whole)
            if found is not None:
                return found
            look *= 2
        return None


def _levels(quality: np.ndarray, ascending: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the last position of each distinct quality in that order (levels,), and the level of each pair (N,)."""
    ordered = quality[ascending]
    changes = ordered[1:] != ordered[:-1]
    level = np.zeros(len(quality), np.int64)
    level[ascending[1:]] = np.cumsum(changes)
    return np.flatnonzero(np.append(changes, True)), level
