"""Error-versus-discard characteristic (EDC) and its partial area (pAUC), in the leaderboard and the ISO-like mode.

A pair has a similarity, a kind (genuine or impostor) and a quality: the lower one of its two images. The EDC is the
false non-match rate (FNMR) of the pairs that are left when the share r of lowest quality is discarded, at the
threshold of one target false match rate (FMR). pAUC is the area under it over r in 0..R, divided by R * FNMR(0):
1 means that discarding by this quality equals chance, lower is better, above 1 is worse than chance.

Two modes, because published figures use both and they differ visibly:

- `leaderboard` (CR-FIQA, MR-FIQA): genuine and impostor pairs are discarded together in steps of 5 %, the threshold is
  estimated again from the impostors that are left, the area is a trapezoid sum. Pairs tied at the cut are
  discarded in equal shares, genuine and impostor alike, so that their order has no effect and a constant quality has
  a pAUC of 1.
- `fixed` (ISO/IEC 29794-1): the threshold of r = 0 holds throughout, only genuine pairs are discarded, pairs of
  equal quality together, the area is that of the step function.

In both, a pair is accepted if and only if its similarity lies strictly above the threshold.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

Mode = Literal["leaderboard", "fixed"]
MODES: tuple[Mode, ...] = ("leaderboard", "fixed")
STEP = 0.05
LAST_STEP = 19


@dataclass(frozen=True)
class Edc:
    """One curve: `fnmr[k]` after discarding the share `discard[k]`, accepted strictly above `threshold[k]`.

    `pauc` is NaN with the reason in `note` where it has no value; `note` is empty otherwise.
    """

    mode: Mode
    fmr: float
    discard_limit: float
    discard: np.ndarray
    fnmr: np.ndarray
    threshold: np.ndarray
    pauc: float
    n_genuine: int
    n_impostor: int
    note: str = ""

    @property
    def fnmr0(self) -> float:
        """FNMR with nothing discarded, F_0."""
        return float(self.fnmr[0])


def pair_quality(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the quality of pairs: the lower one of their two images, higher being better."""
    return np.minimum(first, second)


def edc(
    similarity: np.ndarray,
    genuine: np.ndarray,
    quality: np.ndarray,
    fmr: float,
    discard_limit: float = 0.3,
    mode: Mode = "leaderboard",
) -> Edc:
    """Return the EDC of pairs (similarity, genuine and quality, each (N,)) at a target FMR.

    Raises ValueError if the pairs cannot resolve the target: fewer than 1 / fmr impostors, or no genuine pair.
    """
    return Pairs(similarity, genuine, quality).edc(fmr, discard_limit, mode)


class Pairs:
    """Verification pairs sorted once by quality and once by similarity, for many curves at little cost.

    `weights` of a curve are whole multiplicities: the result equals that of the pairs repeated so often.
    """

    def __init__(self, similarity: np.ndarray, genuine: np.ndarray, quality: np.ndarray) -> None:
        similarity, quality = np.asarray(similarity, np.float64), np.asarray(quality, np.float64)
        genuine = np.asarray(genuine, bool)
        if not similarity.shape == genuine.shape == quality.shape or similarity.ndim != 1:
            raise ValueError("similarity, genuine and quality must be vectors of one length.")
        if np.isnan(similarity).any() or np.isnan(quality).any():
            raise ValueError("Similarities and qualities must not be NaN: give an image without quality -inf.")
        self.n_genuine, self.n_impostor = int(genuine.sum()), int((~genuine).sum())
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

    def edc(self, fmr: float, discard_limit: float = 0.3, mode: Mode = "leaderboard") -> Edc:
        """Return the whole curve and its pAUC; see the function `edc` for the errors."""
        _check_limit(discard_limit)
        check_resolution(fmr, self.n_genuine, self.n_impostor)
        weights = np.ones(len(self._similarity))
        if mode == "leaderboard":
            discard, fnmr, threshold = self._leaderboard(fmr, weights, LAST_STEP)
        else:
            discard, fnmr, threshold = self._fixed(fmr, weights)
        pauc, note = _pauc(mode, discard, fnmr, discard_limit)
        return Edc(mode, fmr, discard_limit, discard, fnmr, threshold, pauc, self.n_genuine, self.n_impostor, note)

    def pauc(self, fmr: float, discard_limit: float, mode: Mode, weights: np.ndarray) -> float:
        """Return pAUC of the pairs, pair k counted `weights[k]` times; NaN where it has no value."""
        weights = np.asarray(weights, np.float64)
        if mode == "leaderboard":
            discard, fnmr, _ = self._leaderboard(
                fmr, weights, min(LAST_STEP, int(np.ceil(discard_limit / STEP - 1e-9)))
            )
        else:
            discard, fnmr, _ = self._fixed(fmr, weights)
        return _pauc(mode, discard, fnmr, discard_limit)[0]

    def _leaderboard(
        self, fmr: float, weights: np.ndarray, last_step: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        upto = np.cumsum(weights[self._by_quality])
        points = [self._at(fmr, weights, upto, step) for step in range(last_step + 1)]
        return np.arange(last_step + 1) * STEP, np.array([p[0] for p in points]), np.array([p[1] for p in points])

    def _at(self, fmr: float, weights: np.ndarray, upto: np.ndarray, step: int) -> tuple[float, float]:
        """Return FNMR and threshold after discarding floor(r * N) pairs in order of quality, r = step / 20."""
        # Whole twentieths, since floor(0.15 * 100) is 14 in binary floating point.
        gone = int(upto[-1]) * step // (LAST_STEP + 1)
        cut, tied, untouched = self._cut(upto, gone)

        def left(pairs: np.ndarray, level: np.ndarray) -> np.ndarray:
            return weights[pairs] * ((level == cut) * tied + (level > cut) * untouched)

        genuine_weights = left(self._genuines, self._genuine_level)
        n_genuine = genuine_weights.sum()
        n_impostor = (upto[-1] - gone) * untouched - n_genuine
        if n_genuine == 0 or n_impostor == 0:
            return float("nan"), float("nan")
        genuines = self._genuine_similarity[genuine_weights > 0]
        # Only the most similar impostors decide: double their number until their count exceeds the target.
        look = int(2 * fmr * len(self._impostors)) + 16
        while True:
            impostor_weights = left(self._impostors[:look], self._impostor_level[:look])
            present = impostor_weights > 0
            impostors, counts = self._impostor_similarity[:look][present], np.cumsum(impostor_weights[present])
            whole = look >= len(self._impostors)
            threshold = _threshold(fmr, n_impostor, impostors, counts, genuines, whole)
            if threshold is not None:
                break
            look *= 2
        rejected = genuine_weights[: np.searchsorted(self._genuine_similarity, threshold, "right")].sum()
        return float(rejected / n_genuine), threshold

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

    def _fixed(self, fmr: float, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        fnmr0, threshold = self._at(fmr, weights, np.cumsum(weights[self._by_quality]), 0)
        present = self._genuines_by_quality[weights[self._genuines_by_quality] > 0]
        weight, quality = weights[present], self._quality[present]
        rejected, gone = np.cumsum(weight * (self._similarity[present] <= threshold)), np.cumsum(weight)
        last = np.flatnonzero(quality[1:] != quality[:-1])  # Last pair of each quality value but the highest.
        if not len(present):
            return np.zeros(1), np.full(1, fnmr0), np.full(1, threshold)
        discard = np.append(0.0, gone[last] / gone[-1])
        fnmr = np.append(fnmr0, (rejected[-1] - rejected[last]) / (gone[-1] - gone[last]))
        return discard, fnmr, np.full(len(discard), threshold)


def _levels(quality: np.ndarray, ascending: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the last position of each distinct quality in that order (levels,), and the level of each pair (N,)."""
    ordered = quality[ascending]
    changes = ordered[1:] != ordered[:-1]
    level = np.zeros(len(quality), np.int64)
    level[ascending[1:]] = np.cumsum(changes)
    return np.flatnonzero(np.append(changes, True)), level


def _threshold(
    fmr: float, total: float, impostors: np.ndarray, counts: np.ndarray, genuines: np.ndarray, whole: bool
) -> float | None:
    """Return the observed similarity whose FMR is nearest to the target, the lowest such one.

    `impostors` descend, `counts` are how many lie at or above each, `genuines` ascend. FMR(t), the share of `total`
    impostors with similarity >= t, takes one value for each distinct impostor, and 0 where a genuine pair lies above
    them all; so only the two counts that enclose the target matter. None: more impostors are needed.
    """
    at = int(np.searchsorted(counts, fmr * total, "left"))
    if at >= len(counts):
        if not whole:
            return None
        at = len(counts) - 1
    value = impostors[at]
    above = int(np.searchsorted(-impostors, -value, "left"))
    reached = int(np.searchsorted(-impostors, -value, "right"))
    if reached == len(impostors) and not whole:
        return None
    strict = counts[above - 1] if above else 0.0
    zero_is_observed = above > 0 or (len(genuines) > 0 and genuines[-1] > value)
    take_strict = zero_is_observed and abs(strict / total - fmr) < abs(counts[reached - 1] / total - fmr)
    beyond, nearest = (above, above - 1) if take_strict else (reached, reached - 1)
    floor = impostors[beyond] if beyond < len(impostors) else -np.inf
    candidates = [impostors[nearest]] if nearest >= 0 else []
    next_genuine = int(np.searchsorted(genuines, floor, "right"))
    candidates += [genuines[next_genuine]] if next_genuine < len(genuines) else []
    return float(min(candidates))


def _check_limit(limit: float) -> None:
    if not 0 < limit <= 0.95:
        raise ValueError(f"The discard limit must lie in 0 < R <= 0.95, not {limit:g}.")


def check_resolution(fmr: float, n_genuine: int, n_impostor: int) -> None:
    """Raise ValueError, one sentence, if so many pairs cannot resolve the target FMR (at least 1 / N_imp)."""
    if not 0 < fmr < 1:
        raise ValueError(f"The target FMR must lie strictly between 0 and 1, not {fmr:g}.")
    if n_genuine == 0:
        raise ValueError("There is no genuine pair, so FNMR has no value: every identity needs at least two images.")
    if fmr * n_impostor < 1 - 1e-9:
        needed = int(np.ceil(1 / fmr - 1e-9))
        raise ValueError(
            f"An FMR of {fmr:g} needs at least {needed} impostor pairs, and there are {n_impostor}: "
            "raise the FMR or evaluate on more identities."
        )


def trapezoid_area(discard: np.ndarray, fnmr: np.ndarray, limit: float) -> float:
    """Return the area under the polyline over 0..limit, the last piece cut at the limit."""
    inside = discard < limit - 1e-9
    end = np.interp(limit, discard, fnmr)
    return float(np.trapezoid(np.append(fnmr[inside], end), np.append(discard[inside], limit)))


def step_area(discard: np.ndarray, fnmr: np.ndarray, limit: float) -> float:
    """Return the area under the step function that holds `fnmr[k]` from `discard[k]` on, over 0..limit."""
    edges = np.minimum(np.append(discard, 1.0), limit)
    return float(np.sum(fnmr * np.diff(edges)))


def normalised_pauc(fnmr: np.ndarray, discard_limit: float = 0.3) -> float:
    """Return pAUC of FNMR at discards 0, 5, 10 ... %, up to the limit: trapezoid / (R * F_0); NaN if F_0 is 0."""
    values = np.asarray(fnmr, np.float64)
    return _pauc("leaderboard", np.arange(len(values)) * STEP, values, discard_limit)[0]


def _pauc(mode: Mode, discard: np.ndarray, fnmr: np.ndarray, limit: float) -> tuple[float, str]:
    area = trapezoid_area if mode == "leaderboard" else step_area
    return _normalised(area(discard, fnmr, limit), limit, float(fnmr[0]))


def _normalised(area: float, limit: float, fnmr0: float) -> tuple[float, str]:
    if np.isnan(area):
        return float(
            "nan"
        ), "Discarding leaves no genuine or no impostor pair before R is reached, so pAUC has no value."
    if fnmr0 == 0:
        return float("nan"), "No genuine pair is rejected at this FMR (F_0 = 0), so pAUC has no value."
    return area / (limit * fnmr0), ""
