"""Defines the largest cosine of a candidate to the accepted identities, to the last bit.

A cosine in float32 depends on the order of its additions, and a library adds in another order for one row than for
many. Its value here is that of a product of WINDOW rows and one vector. It does not depend on how rows were found, on
the number of candidates compared at once or on the number of cores; up to WINDOW + 1 rows it is one plain product.
"""

import numpy as np

WINDOW = 256
"""Rows multiplied at once: a multiple of the rows that matrix libraries take together, and so few that they use one
thread."""


def largest_cosine(rows: np.ndarray, vector: np.ndarray) -> float:
    """Return the largest cosine, at most 1, of float32 unit vectors (N, D) and one (D,); -1 without rows."""
    return _largest(rows, vector, range(0, _last_start(len(rows)) + 1, WINDOW)) if len(rows) else -1.0


def largest_cosine_at(rows: np.ndarray, vector: np.ndarray, numbers: np.ndarray) -> float:
    """Return what `largest_cosine` does, when a row with the largest cosine is among `numbers` (K,), at least one."""
    starts = np.minimum(numbers // WINDOW * WINDOW, _last_start(len(rows)))
    return _largest(rows, vector, np.unique(starts).tolist())


def rounding(dimensions: int) -> float:
    """Return the largest error of a float32 product of two unit vectors, in any order of additions, fused or not.

    gamma_n = n u / (1 - n u) with u = 2^-24 (Higham, Accuracy and Stability of Numerical Algorithms, 3.1); a little is
    added for products too small for float32.
    """
    error = dimensions * 2.0**-24
    return error / (1 - error) + 1e-30


def _last_start(count: int) -> int:
    # The last window takes a single row that is left over: numpy multiplies one row by another function.
    return max(count - 2, 0) // WINDOW * WINDOW


def _largest(rows: np.ndarray, vector: np.ndarray, starts: range | list[int]) -> float:
    last = _last_start(len(rows))
    found = [(rows[at : None if at == last else at + WINDOW] @ vector).max() for at in starts]
    # Rounding may carry the cosine of two equal unit vectors past 1.
    return min(float(np.max(found)), 1.0)
