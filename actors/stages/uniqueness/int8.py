"""Scores accepted identities as products of 8-bit integers: a third of the time and a quarter of the memory of float32.

A row x becomes t q with q of -127..127, a candidate v becomes s p with p of -63..63. By Cauchy and Schwarz

    |<x, v> - s t <q, p>| <= |x - t q| |v| + |t q| |v - s p|

and all four lengths are measured, not estimated. <q, p> itself is exact: candidates have 7 bits, so that the sum of two
products fits the 16 bits in which older processors add them.
"""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from synfiqa.actors.stages.uniqueness.exact import rounding
from synfiqa.actors.stages.uniqueness.shortlist import Shortlist

BLOCK = 4096
"""Rows packed together; they share one step t."""

ROW_LEVELS, CANDIDATE_LEVELS = 127, 63
MOST_DIMENSIONS = 2048
"""Up to so many, sums of products are whole numbers that float32 holds exactly."""


@dataclass(frozen=True)
class _Packed:
    weights: Any
    step: float
    residual: float
    length: float


class Int8Rows:
    """Blocks of BLOCK rows (D,) as 8-bit integers."""

    def __init__(self) -> None:
        self._blocks: list[_Packed] = []

    @property
    def count(self) -> int:
        """Rows so far."""
        return BLOCK * len(self._blocks)

    def add(self, rows: np.ndarray) -> None:
        """Add the next float32 rows (BLOCK, D)."""
        exact = rows.astype(np.float64)
        step = float(np.abs(exact).max()) / ROW_LEVELS or 1.0
        levels = np.rint(exact / step)
        kept = levels * step
        self._blocks.append(_Packed(_pack(levels), step, _longest(exact - kept), _longest(kept)))

    def score(self, vectors: np.ndarray, largest_norm: float, found: Shortlist) -> None:
        """Add all rows to the shortlist of the vectors (N, D); `largest_norm` is that of the float32 rows."""
        exact = vectors.astype(np.float64)
        steps = np.abs(exact).max(axis=1) / CANDIDATE_LEVELS
        steps[steps == 0] = 1.0
        levels = np.rint(exact / steps[:, None])
        residuals = np.linalg.norm(exact - levels * steps[:, None], axis=1)
        norms = np.linalg.norm(exact, axis=1)
        inputs = _inputs(levels)
        for number, block in enumerate(self._blocks):
            quantised = block.residual * norms + block.length * residuals
            # The defined cosine is rounded itself; a millionth more covers the rounding of this sum.
            slack = 1.000001 * (quantised + rounding(vectors.shape[1]) * largest_norm * norms)
            found.add(_products(inputs, block.weights)[:-1], number * BLOCK, slack, steps * block.step)


def int8_is_exact(dimensions: int) -> bool:
    """Return whether products of 8-bit integers are available here and exact, tried on the largest ones and others."""
    if not 2 <= dimensions <= MOST_DIMENSIONS:
        return False
    random = np.random.default_rng(0)
    rows = random.integers(-ROW_LEVELS, ROW_LEVELS + 1, (64, dimensions)).astype(np.float64)
    candidates = random.integers(-CANDIDATE_LEVELS, CANDIDATE_LEVELS + 1, (8, dimensions)).astype(np.float64)
    rows[0], rows[1], candidates[0], candidates[1] = ROW_LEVELS, -ROW_LEVELS, CANDIDATE_LEVELS, -CANDIDATE_LEVELS
    try:
        found = _products(_inputs(candidates), _pack(rows))[:-1]
    # Not every build of torch has these operators, and not every processor.
    except (ImportError, AttributeError, RuntimeError):
        return False
    return bool(np.array_equal(found.astype(np.float64), candidates @ rows.T))


def _longest(vectors: np.ndarray) -> float:
    return float(np.linalg.norm(vectors, axis=1).max())


def _pack(levels: np.ndarray) -> Any:
    """Return integers (M, D) in the layout of the product."""
    import torch

    with warnings.catch_warnings():
        # torch will drop these tensors one day; `int8_is_exact` then says no, and float32 takes over.
        warnings.simplefilter("ignore", UserWarning)
        weights = torch._make_per_tensor_quantized_tensor(torch.from_numpy(levels.astype(np.int8)), 1.0, 0)
        return torch.ops.quantized.linear_prepack(weights, None)


def _inputs(levels: np.ndarray) -> Any:
    """Return integers (N, D) as float32 (N + 1, D), with one more row that fixes their quantisation.

    The operator takes its step from the range of its input: with -64 and 63 in it, the 127 steps are 1 wide.
    """
    import torch

    inputs = np.zeros((len(levels) + 1, levels.shape[1]), np.float32)
    inputs[:-1] = levels
    inputs[-1, :2] = -CANDIDATE_LEVELS - 1, CANDIDATE_LEVELS
    return torch.from_numpy(inputs)


def _products(inputs: Any, weights: Any) -> np.ndarray:
    """Return the products of all rows as whole numbers in float32 (N, M)."""
    import torch

    products: np.ndarray = torch.ops.quantized.linear_dynamic(inputs, weights, True).numpy()
    return products
