"""Similarities of pairs: genuine ones sorted, of the impostors only as many of the largest as a threshold needs."""

import numpy as np

from synfiqa.fiqa_train.evaluation.curve.quality_cuts import QualityCuts, Step
from synfiqa.fiqa_train.evaluation.curve.thresholds import iso_threshold, nearest_threshold


class Similarities:
    """Pairs with a similarity (N,) and a kind (N,), for curves of any quality."""

    def __init__(self, similarity: np.ndarray, genuine: np.ndarray) -> None:
        self.genuine = np.asarray(genuine, bool)
        self._similarity = np.asarray(similarity)
        self.genuine_similarity = self._similarity[self.genuine]
        self._impostor_similarity = self._similarity[~self.genuine]
        self.n_genuine, self.n_impostor = len(self.genuine_similarity), len(self._impostor_similarity)
        self._genuine_order = np.argsort(self.genuine_similarity)
        self._genuines = self.genuine_similarity[self._genuine_order]
        self._tail, self._tail_at = np.empty(0), np.empty(0, np.int64)

    def curve(self, fmr: float, cuts: QualityCuts) -> list[tuple[float, float]]:
        """Return FNMR and threshold after each step of discarding; NaN where no genuine or no impostor pair is left."""
        codes = cuts.genuine[self._genuine_order]
        return [self._at(fmr, cuts, codes, step) for step in cuts.steps]

    def _at(self, fmr: float, cuts: QualityCuts, codes: np.ndarray, step: Step) -> tuple[float, float]:
        """Return FNMR and threshold after one step; `codes` are those of the genuine pairs, ascending in similarity."""
        n_genuine, n_impostor = step.total(cuts.genuine_counts), step.total(cuts.impostor_counts)
        if not n_genuine or not n_impostor:
            return float("nan"), float("nan")
        present = codes >= step.code
        threshold = self._nearest(fmr, n_impostor, cuts, step, self._genuines[present])
        upto = int(np.searchsorted(self._genuines, threshold, "right"))
        rejected = step.total(np.bincount(codes[:upto], minlength=len(cuts.genuine_counts)))
        return rejected / n_genuine, threshold

    def iso_threshold(self, fmr: float) -> float:
        """Return the threshold of all pairs with the largest FMR that does not exceed the target."""
        look = int(fmr * self.n_impostor) + 2
        while True:
            impostors, _ = self._largest(look)
            found = iso_threshold(fmr, self.n_impostor, impostors, np.arange(1, len(impostors) + 1))
            if found is not None:
                return found
            if len(impostors) == self.n_impostor:
                return -np.inf
            look *= 2

    def impostors_above(self, threshold: float) -> np.ndarray:
        """Return the positions among all pairs of the impostor pairs that are accepted."""
        accepted: np.ndarray = np.flatnonzero(~self.genuine & (self._similarity > threshold))
        return accepted

    def _nearest(self, fmr: float, total: int, cuts: QualityCuts, step: Step, genuines: np.ndarray) -> float:
        # Only the most similar impostors decide: double their number until their count exceeds the target.
        look = int(2 * fmr * self.n_impostor) + 16
        while True:
            impostors, at = self._largest(look)
            codes = cuts.impostor[at]
            present = codes >= step.code
            weights = np.where(codes[present] == step.code, step.tied, step.above)
            whole = len(impostors) == self.n_impostor
            found = nearest_threshold(fmr, total, impostors[present], np.cumsum(weights), genuines, whole)
            if found is not None:
                return found
            look *= 2

    def _largest(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the `count` largest impostor similarities, descending, and where they stand among the impostors.

        More of them where others equal the last one.
        """
        count = min(count, self.n_impostor)
        if len(self._tail) < count:
            at = np.arange(self.n_impostor)
            if count < self.n_impostor:
                least = np.partition(self._impostor_similarity, self.n_impostor - count)[self.n_impostor - count]
                at = np.flatnonzero(self._impostor_similarity >= least)
            order = np.argsort(-self._impostor_similarity[at], kind="stable")
            self._tail_at = at[order]
            self._tail = self._impostor_similarity[self._tail_at]
        return self._tail[:count], self._tail_at[:count]
