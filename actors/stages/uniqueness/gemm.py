"""Scores many accepted identities against many candidates as float32 matrix products."""

import numpy as np

from synfiqa.actors.stages.uniqueness.exact import rounding
from synfiqa.actors.stages.uniqueness.shortlist import Shortlist

BLOCK = 16_384
"""Rows multiplied at once: scores of 64 candidates then take 4 MB."""


def score_rows(rows: np.ndarray, first: int, vectors: np.ndarray, largest_norm: float, found: Shortlist) -> None:
    """Add float32 rows (M, D), numbered from `first` on, to the shortlist of the vectors (N, D).

    `largest_norm` is that of the rows. A score and the defined cosine are both float32 products of the same numbers, so
    they differ by twice the rounding of one.
    """
    norms = np.linalg.norm(vectors.astype(np.float64), axis=1)
    slack = 2 * rounding(vectors.shape[1]) * largest_norm * norms
    columns = np.ascontiguousarray(vectors.T)
    for start in range(0, len(rows), BLOCK):
        found.add((rows[start : start + BLOCK] @ columns).T, first + start, slack)
