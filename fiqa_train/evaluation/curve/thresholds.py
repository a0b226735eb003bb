"""The threshold of a target FMR: the nearest one (leaderboard), or the largest FMR that does not exceed it (ISO)."""

import numpy as np


def nearest_threshold(
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


def iso_threshold(fmr: float, total: float, impostors: np.ndarray, counts: np.ndarray) -> float | None:
    """Return the similarity strictly above which as many impostors lie as the target FMR allows, and never more.

    `impostors` descend, `counts` are how many of `total` lie at or above each. None: more impostors are needed.
    """
    # An impostor count that equals the target but for rounding is allowed.
    at = int(np.searchsorted(counts, fmr * total * (1 + 1e-12), "right"))
    return None if at >= len(counts) else float(impostors[at])


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
