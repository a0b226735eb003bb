"""Areas under the error-versus-discard curve, and their normalisations."""

import numpy as np

STEP = 0.05
"""Discarded share from one point of a leaderboard curve to the next."""
WHOLE = 0.95
"""Largest discarded share of a leaderboard curve, to which the raw AUC of CR-FIQA goes."""

NO_PAIRS = "Discarding leaves no genuine or no impostor pair before R is reached, so pAUC has no value."
NO_ERRORS = "No genuine pair is rejected at this FMR (F_0 = 0), so pAUC has no value."


def trapezoid_area(discard: np.ndarray, fnmr: np.ndarray, limit: float) -> float:
    """Return the area under the polyline over 0..limit, the last piece cut at the limit."""
    inside = discard < limit - 1e-9
    end = np.interp(limit, discard, fnmr)
    return float(np.trapezoid(np.append(fnmr[inside], end), np.append(discard[inside], limit)))


def step_area(discard: np.ndarray, fnmr: np.ndarray, limit: float) -> float:
    """Return the area under the step function that holds `fnmr[k]` from `discard[k]` on, over 0..limit."""
    edges = np.minimum(np.append(discard, 1.0), limit)
    return float(np.sum(fnmr * np.diff(edges)))


def ideal_fnmr(fnmr0: float, discard: np.ndarray) -> np.ndarray:
    """Return the FNMR of a quality that discards every rejected genuine pair first: max(0, (F_0 - r) / (1 - r))."""
    found: np.ndarray = np.maximum(0.0, (fnmr0 - discard) / (1.0 - discard))
    return found


def ideal_area(fnmr0: float, limit: float) -> float:
    """Return the exact area under `ideal_fnmr` over 0..limit."""
    end = min(limit, fnmr0)
    # The integral of (F - r) / (1 - r) = 1 - (1 - F) / (1 - r).
    return float(end + (1.0 - fnmr0) * np.log1p(-end))


def normalised(area: float, limit: float, fnmr0: float) -> tuple[float, str]:
    """Return area / (R * F_0), and why it is NaN where it has no value."""
    if np.isnan(area):
        return float("nan"), NO_PAIRS
    if fnmr0 == 0:
        return float("nan"), NO_ERRORS
    return area / (limit * fnmr0), ""


def above_ideal(area: float, limit: float, fnmr0: float) -> float:
    """Return the area above the ideal line, divided by that of a quality without worth: 0 is ideal, 1 is chance."""
    if np.isnan(area) or fnmr0 == 0:
        return float("nan")
    ideal = ideal_area(fnmr0, limit)
    return (area - ideal) / (limit * fnmr0 - ideal) if limit * fnmr0 > ideal else float("nan")


def normalised_pauc(fnmr: np.ndarray, discard_limit: float = 0.3) -> float:
    """Return pAUC of FNMR at discards 0, 5, 10 ... %, up to the limit: trapezoid / (R * F_0); NaN if F_0 is 0."""
    values = np.asarray(fnmr, np.float64)
    discard = np.arange(len(values)) * STEP
    return normalised(trapezoid_area(discard, values, discard_limit), discard_limit, float(values[0]))[0]
