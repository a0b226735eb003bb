"""Error-versus-discard characteristic (EDC) and its partial area (pAUC), in the leaderboard and the ISO mode.

A pair has a similarity, a kind (genuine or impostor) and a quality: the lower one of its two images. The EDC is the
false non-match rate (FNMR) of the pairs that are left when the share r of lowest quality is discarded, at the
threshold of one target false match rate (FMR). pAUC is the area under it over r in 0..R, divided by R * FNMR(0):
1 means that discarding by this quality equals chance, lower is better, above 1 is worse than chance.

Two modes, because published figures use both and they differ visibly:

- `leaderboard` (CR-FIQA, MR-FIQA): genuine and impostor pairs are discarded together in steps of 5 %, the threshold is
  estimated again from the impostors that are left, with the FMR nearest to the target, which may exceed it; the area is
  a trapezoid sum. Pairs tied at the cut are discarded in equal shares, genuine and impostor alike, so that their order
  has no effect and a constant quality has a pAUC of 1.
- `iso` (ISO/IEC 29794-1): the threshold of r = 0 holds throughout, that of the largest FMR that does not exceed the
  target; only genuine pairs are discarded, pairs of equal quality together, the area is that of the step function.

In both, a pair is accepted if and only if its similarity lies strictly above the threshold.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from synfiqa.fiqa_train.evaluation.curve.areas import (
    WHOLE,
    above_ideal,
    normalised,
    step_area,
    trapezoid_area,
)
from synfiqa.fiqa_train.evaluation.curve.quality_cuts import QualityCuts, cuts_of
from synfiqa.fiqa_train.evaluation.curve.similarity_tail import Similarities
from synfiqa.fiqa_train.evaluation.curve.thresholds import check_resolution

Mode = Literal["leaderboard", "iso"]
MODES: tuple[Mode, ...] = ("leaderboard", "iso")
FEW_CARRIERS = 20
"""Distinct identity pairs above the threshold below which an FMR depends on a handful of people."""


@dataclass(frozen=True)
class Edc:
    """One curve: `fnmr[k]` after discarding the share `discard[k]`, accepted strictly above `threshold[k]`.

    `pauc` and `above_ideal` are over 0..R, `auc` is the raw area over 0...95. They are NaN where they have no value,
    `pauc` with the reason in `note`, which is empty otherwise. `carriers` is how many distinct identity pairs have an
    impostor pair above the first threshold, None where identities are not given.
    """

    mode: Mode
    fmr: float
    discard_limit: float
    discard: np.ndarray
    fnmr: np.ndarray
    threshold: np.ndarray
    pauc: float
    above_ideal: float
    auc: float
    n_genuine: int
    n_impostor: int
    carriers: int | None = None
    note: str = ""

    @property
    def fnmr0(self) -> float:
        """FNMR with nothing discarded, F_0."""
        return float(self.fnmr[0])

    @property
    def few_carriers(self) -> bool:
        """Whether the FMR depends on so few identity pairs that one of them moves the curve."""
        return self.carriers is not None and self.carriers < FEW_CARRIERS


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
    identity_pairs: np.ndarray | None = None,
) -> Edc:
    """Return the EDC of pairs (similarity, genuine and quality, each (N,)) at a target FMR.

    `identity_pairs` (N,) are integers, equal for pairs of the same two identities. Raises ValueError if the pairs
    cannot resolve the target: fewer than 1 / fmr impostors, or no genuine pair.
    """
    similarity, genuine, quality = checked(similarity, genuine, quality)
    return edc_of(Similarities(similarity, genuine), quality, fmr, discard_limit, mode, identity_pairs)


def edc_of(
    pairs: Similarities,
    quality: np.ndarray,
    fmr: float,
    discard_limit: float,
    mode: Mode,
    identity_pairs: np.ndarray | None = None,
) -> Edc:
    """Return the EDC of a quality (N,) of pairs that several qualities share; see `edc`."""
    if mode == "leaderboard":
        return leaderboard_edc(pairs, cuts_of(quality, pairs.genuine), fmr, discard_limit, identity_pairs)
    return iso_edc(pairs, quality[pairs.genuine], fmr, discard_limit, identity_pairs)


def leaderboard_edc(
    pairs: Similarities,
    cuts: QualityCuts,
    fmr: float,
    discard_limit: float,
    identity_pairs: np.ndarray | None = None,
) -> Edc:
    """Return the curve in the leaderboard mode of pairs and the cuts of their quality."""
    _check(pairs, fmr, discard_limit)
    points = pairs.curve(fmr, cuts)
    discard = np.arange(len(points)) / len(points)
    fnmr, threshold = (np.array([point[k] for point in points]) for k in (0, 1))
    return curve("leaderboard", fmr, discard_limit, discard, fnmr, threshold, pairs, identity_pairs)


def iso_edc(
    pairs: Similarities,
    genuine_quality: np.ndarray,
    fmr: float,
    discard_limit: float,
    identity_pairs: np.ndarray | None = None,
) -> Edc:
    """Return the curve in the ISO mode; `genuine_quality` is that of the genuine pairs, in their order."""
    _check(pairs, fmr, discard_limit)
    threshold = pairs.iso_threshold(fmr)
    order = np.argsort(genuine_quality)
    quality, missed = genuine_quality[order], pairs.genuine_similarity[order] <= threshold
    rejected = np.cumsum(missed)
    # The last pair of each quality value but the highest.
    last = np.flatnonzero(quality[1:] != quality[:-1])
    n = len(order)
    discard = np.append(0.0, (last + 1) / n)
    fnmr = np.append(rejected[-1] / n, (rejected[-1] - rejected[last]) / (n - 1 - last))
    thresholds = np.full(len(discard), threshold)
    return curve("iso", fmr, discard_limit, discard, fnmr, thresholds, pairs, identity_pairs)


def curve(
    mode: Mode,
    fmr: float,
    limit: float,
    discard: np.ndarray,
    fnmr: np.ndarray,
    threshold: np.ndarray,
    pairs: Similarities,
    identity_pairs: np.ndarray | None = None,
) -> Edc:
    """Return a curve with its areas."""
    area = trapezoid_area if mode == "leaderboard" else step_area
    inside = area(discard, fnmr, limit)
    pauc, note = normalised(inside, limit, float(fnmr[0]))
    carriers = None
    if identity_pairs is not None:
        carriers = len(np.unique(identity_pairs[pairs.impostors_above(float(threshold[0]))]))
    return Edc(
        mode,
        fmr,
        limit,
        discard,
        fnmr,
        threshold,
        pauc,
        above_ideal(inside, limit, float(fnmr[0])),
        area(discard, fnmr, WHOLE),
        pairs.n_genuine,
        pairs.n_impostor,
        carriers,
        note,
    )


def checked(
    similarity: np.ndarray, genuine: np.ndarray, quality: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the three vectors of the pairs as arrays; ValueError when they are not, or hold NaN."""
    similarity, quality, genuine = np.asarray(similarity), np.asarray(quality), np.asarray(genuine, bool)
    if not similarity.shape == genuine.shape == quality.shape or similarity.ndim != 1:
        raise ValueError("similarity, genuine and quality must be vectors of one length.")
    if np.isnan(similarity).any() or np.isnan(quality).any():
        raise ValueError("Similarities and qualities must not be NaN: give an image without quality -inf.")
    return similarity, genuine, quality


def _check(pairs: Similarities, fmr: float, limit: float) -> None:
    if not 0 < limit <= WHOLE:
        raise ValueError(f"The discard limit must lie in 0 < R <= 0.95, not {limit:g}.")
    check_resolution(fmr, pairs.n_genuine, pairs.n_impostor)
