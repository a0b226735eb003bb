"""Average cost of each factor in f_r, fitted on a run's own f_r: the label's spatial domain s_d as costs.

1 - f_r ~ constant + sum over factors and knots of weight * max(severity - knot, 0) / top, every weight >= 0. Hence s_d
never rises with a factor, and the fit averages over the noise of single f_r.
"""

import numpy as np
from scipy.linalg import solve_triangular
from scipy.optimize import nnls

from synfiqa.fiqa_train.labels.severities import Severities
from synfiqa.schemas.calibration import Costs, FactorCost

SHARES = (0.35, 0.7)
"""Quantiles of a factor's values above 0 at which its cost has knots, besides the knot at 0."""
RIDGE = 0.5
"""Weight of the ridge beside the sum of squared errors: shrinks the costs of factors that are rare in a run."""
DIGITS = 6
"""Decimals of a weight. Rounding makes it independent of the order of summation."""

CHUNK = 16_384
"""Rows whose hinges are in memory at once: all of 10^7 would take 8 GB."""


def fit_costs(severities: Severities, recognition: np.ndarray) -> Costs:
    """Fit costs to 1 - f_r of N samples by least squares; `recognition` is f_r (N,), float32 or float64."""
    bends = {name: found for name, values in severities.items() if (found := _knots(values))}
    mean, mean_loss, gram, moment = _moments(severities, bends, recognition)
    weights = _solved(gram, moment) if len(moment) else moment
    costs = [
        FactorCost(factor=name, top=top, knots=knots, weights=weights[end - len(knots) : end].tolist())
        for (name, (top, knots)), end in zip(
            bends.items(), np.cumsum([len(knots) for _, knots in bends.values()]), strict=True
        )
    ]
    constant = round(float(mean_loss - mean @ weights), DIGITS)
    return Costs(constant=constant, factors=[cost for cost in costs if any(cost.weights)])


def kept(costs: Costs, severities: Severities) -> np.ndarray:
    """Return s_d = 1 - sum of the costs, float64 (N,) in 0..1; 1 for a sample without severities."""
    total = np.zeros(len(next(iter(severities.values()))))
    for start in range(0, len(total), CHUNK):
        rows = slice(start, start + CHUNK)
        for cost in costs.factors:
            hinges = _hinges(severities[cost.factor][rows], cost.top, cost.knots)
            # Product by product: the summation order of a matrix product may depend on the number of rows.
            for hinge, weight in zip(hinges, cost.weights, strict=True):
                total[rows] += weight * hinge
    return np.clip(1 - total, 0, 1)


def _knots(values: np.ndarray) -> tuple[float, list[float]] | None:
    """Return the largest value and the knots, in ascending order; None for a constant factor."""
    low, top = float(values.min()), float(values.max())
    if low == top:
        return None
    inner = sorted({float(found) for found in np.quantile(values[values > 0], SHARES)})
    return top, [0.0, *(knot for knot in inner if 0 < knot < top)]


def _hinges(values: np.ndarray, top: float, knots: list[float]) -> np.ndarray:
    """Return max(value - knot, 0) / top, float64 (knots, N)."""
    return np.maximum(values.astype(np.float64) - np.array(knots)[:, None], 0) / top


def _moments(
    severities: Severities, bends: dict[str, tuple[float, list[float]]], recognition: np.ndarray
) -> tuple[np.ndarray, float, np.ndarray, np.ndarray]:
    """Return means of the K hinges and of 1 - f_r, and the centred Gram matrix (K, K) and moments (K,)."""
    size, count = sum(len(knots) for _, knots in bends.values()), len(recognition)
    total, gram, moment, loss_total = np.zeros(size), np.zeros((size, size)), np.zeros(size), 0.0
    for start in range(0, count, CHUNK):
        rows = slice(start, start + CHUNK)
        loss = 1 - recognition[rows].astype(np.float64)
        basis = np.concatenate(
            [np.empty((0, len(loss))), *(_hinges(severities[name][rows], *bend) for name, bend in bends.items())]
        )
        total += basis.sum(axis=1)
        gram += basis @ basis.T
        moment += basis @ loss
        loss_total += float(loss.sum())
    mean, mean_loss = total / count, loss_total / count
    return mean, mean_loss, gram - count * np.outer(mean, mean), moment - count * mean * mean_loss


def _solved(gram: np.ndarray, moment: np.ndarray) -> np.ndarray:
    """Return the weights >= 0 that minimise squared error and ridge: NNLS on a Cholesky factor of the Gram matrix."""
    root = np.linalg.cholesky(gram + RIDGE * np.eye(len(moment)))
    weights, _ = nnls(root.T, solve_triangular(root, moment, lower=True))
    return np.round(weights, DIGITS)
