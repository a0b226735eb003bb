"""Verification rates of an embedder on held-out renders, and its mean cosine along degradation ladders."""

from collections.abc import Callable, Iterator

import numpy as np

from synfiqa.fiqa_train.bundled.ladders import ladders
from synfiqa.fiqa_train.bundled.render_set import RenderSet
from synfiqa.fiqa_train.bundled.variation import degrade_all

Embed = Callable[[np.ndarray], np.ndarray]
"""Function from uint8 RGB (N, 112, 112, 3) to float32 unit vectors (N, D)."""


def threshold_at_fmr(impostor: np.ndarray, fmr: float) -> float:
    """Return the lowest impostor score that at most a share `fmr` of the others exceeds; scores above it match."""
    allowed = int(np.floor(fmr * len(impostor)))
    return float(np.sort(impostor)[len(impostor) - 1 - allowed])


def tar_at_fmr(genuine: np.ndarray, impostor: np.ndarray, fmr: float) -> float:
    """Return the share of genuine scores that match at the threshold of that FMR."""
    return float((genuine > threshold_at_fmr(impostor, fmr)).mean())


def match_cosine(rates: dict[str, float]) -> float:
    """Return the threshold at FMR 1e-3 of `verification_rates`, rounded to the nearest 0.05, at most 0.95."""
    # Finer digits have no effect on labels (docs/results/labels.md), and networks of two seeds share a scale.
    # An untrained network has its threshold at 1, where no pair could match.
    return min(0.95, round(20 * rates["varied_threshold_at_fmr_1e-3"]) / 20)


def equal_error_rate(genuine: np.ndarray, impostor: np.ndarray) -> float:
    """Return the error rate, 0..1, where false match and false non-match rates cross."""
    thresholds = np.unique(np.concatenate([genuine, impostor]))
    fnmr = np.searchsorted(np.sort(genuine), thresholds, side="left") / len(genuine)
    fmr = 1 - np.searchsorted(np.sort(impostor), thresholds, side="left") / len(impostor)
    crossing = int(np.argmin(np.abs(fnmr - fmr)))
    return float((fnmr[crossing] + fmr[crossing]) / 2)


def pair_scores(
    left: np.ndarray, left_identity: np.ndarray, right: np.ndarray, right_identity: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the genuine and the impostor cosines of all pairs between two sets of unit vectors."""
    cosines = left @ right.T
    same = left_identity[:, None] == right_identity[None, :]
    return cosines[same], cosines[~same]


def verification_metrics(embed: Embed, held_out: RenderSet) -> dict[str, float]:
    """Return `verification_rates` and the mean cosine to the clean references along each ladder."""
    clean = held_out.of("clean")
    costs = ladder_costs(embed, held_out, embed(clean.crops), clean.identity)
    return {**verification_rates(embed, held_out), **dict(costs)}


def verification_rates(embed: Embed, held_out: RenderSet) -> dict[str, float]:
    """Return clean and varied verification rates.

    `varied` pairs a clean reference with a sample degraded as a run's default would.
    """
    clean, varied = held_out.of("clean"), held_out.of("varied")
    degraded = embed(degrade_all(varied.crops, varied.recipes))
    return rates_of(embed(clean.crops), clean.identity, degraded, varied.identity)


def rates_of(
    references: np.ndarray, reference_identity: np.ndarray, degraded: np.ndarray, degraded_identity: np.ndarray
) -> dict[str, float]:
    """Return rates among references (`clean`) and between references and degraded faces (`varied`) by unit vectors."""
    upper = np.triu_indices(len(references), k=1)
    cosines = (references @ references.T)[upper]
    same = reference_identity[upper[0]] == reference_identity[upper[1]]
    genuine, impostor = pair_scores(references, reference_identity, degraded, degraded_identity)
    return {
        "clean_tar_at_fmr_1e-3": tar_at_fmr(cosines[same], cosines[~same], 1e-3),
        "clean_eer": equal_error_rate(cosines[same], cosines[~same]),
        "varied_tar_at_fmr_1e-2": tar_at_fmr(genuine, impostor, 1e-2),
        "varied_threshold_at_fmr_1e-3": threshold_at_fmr(impostor, 1e-3),
        "varied_eer": equal_error_rate(genuine, impostor),
        "clean_genuine_mean": float(cosines[same].mean()),
        "varied_genuine_mean": float(genuine.mean()),
        "impostor_std": float(cosines[~same].std()),
    }


def ladder_costs(
    embed: Embed, held_out: RenderSet, references: np.ndarray, identity: np.ndarray
) -> Iterator[tuple[str, float]]:
    """Yield each ladder step with the mean cosine of its faces to the mean clean reference of their identity."""
    centres = {person: _unit(references[identity == person].mean(axis=0)) for person in np.unique(identity)}
    for name, crops, persons in ladders(held_out):
        targets = np.stack([centres[person] for person in persons])
        yield f"cosine_{name}", float((embed(crops) * targets).sum(axis=1).mean())


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)
