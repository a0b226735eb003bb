"""The accepted identities and the search for the one that a candidate resembles most."""

from collections.abc import Iterator, Sequence

import numpy as np

from synfiqa.actors.stages.uniqueness.exact import largest_cosine, largest_cosine_at, rounding
from synfiqa.actors.stages.uniqueness.gemm import score_rows
from synfiqa.actors.stages.uniqueness.int8 import BLOCK, Int8Rows, int8_is_exact
from synfiqa.actors.stages.uniqueness.shortlist import Shortlist

GEMM_FROM = 2048
"""Accepted identities from which candidates are compared many at once; below, one at a time takes no longer."""
INT8_FROM = 32_768
"""Accepted identities from which a prefilter of 8-bit integers searches; below, loading torch would cost more."""
INT8_DIMENSIONS = 256
"""Dimensions from which it does; with fewer, looking through its scores takes longer than the products save."""
AT_ONCE = 64
"""Candidates that are worth comparing at once."""
_MOST_AT_ONCE = 256


class AcceptedIdentities:
    """Embeddings (float32 unit vectors) of at most `capacity` accepted identities.

    Below `gemm_from` rows candidates are compared one at a time, then many at once, from `int8_from` on through 8-bit
    integers. All three give the same bits: approximate scores with a proven error only choose the rows whose cosine is
    then computed as `exact` defines it.
    """

    def __init__(self, capacity: int, *, gemm_from: int = GEMM_FROM, int8_from: int | None = None) -> None:
        self._capacity = max(capacity, 1)
        self.gemm_from, self.int8_from = gemm_from, int8_from
        self._rows: np.ndarray | None = None
        self._int8: Int8Rows | None = None
        self._largest_norm = 0.0
        self.count = 0

    @property
    def at_once(self) -> int:
        """Candidates that are worth collecting before they are compared."""
        return AT_ONCE if self.count >= self.gemm_from else 1

    def add(self, vectors: np.ndarray) -> None:
        """Accept identities with these float32 embeddings (N, D), or one (D,)."""
        vectors = np.atleast_2d(vectors)
        if self._rows is None:
            self._rows = np.zeros((self._capacity, vectors.shape[1]), np.float32)
            if self.int8_from is None:
                self.int8_from = INT8_FROM if vectors.shape[1] >= INT8_DIMENSIONS else self._capacity + 1
        self._rows[self.count : self.count + len(vectors)] = vectors
        self.count += len(vectors)
        # NaN stays, and then no bound holds: `cosines` compares one at a time.
        self._largest_norm = float(
            np.maximum(self._largest_norm, np.linalg.norm(vectors.astype(np.float64), axis=1).max())
        )

    def cosines(self, vectors: Sequence[np.ndarray]) -> Iterator[float]:
        """Yield the largest cosine of each float32 vector (D,) to the identities accepted at that moment.

        Identities may be added between two steps. -1 when there is none.
        """
        for start in range(0, len(vectors), _MOST_AT_ONCE):
            block = np.stack(vectors[start : start + _MOST_AT_ONCE])
            seen = self.count
            found = self._search(block)
            for number, vector in enumerate(block):
                if found is None:
                    yield -1.0 if self._rows is None else largest_cosine(self._accepted(), vector)
                else:
                    yield self._best_of(vector, np.append(found[number], np.arange(seen, self.count)))

    def _search(self, vectors: np.ndarray) -> list[np.ndarray] | None:
        """Return the rows that may be nearest to each vector, or None where one product a vector is the better way."""
        if self.count < max(self.gemm_from, 1) or not np.isfinite(self._largest_norm) or not np.isfinite(vectors).all():
            return None
        found, done = Shortlist(len(vectors)), 0
        if int8 := self._int8_rows():
            int8.score(vectors, self._largest_norm, found)
            done = int8.count
        score_rows(self._accepted()[done:], done, vectors, self._largest_norm, found)
        return found.rows()

    def _int8_rows(self) -> Int8Rows | None:
        """Return the full blocks as 8-bit integers, or None where there are too few or the products are not exact."""
        if self.int8_from is None or self.count < self.int8_from:
            return None
        rows = self._accepted()
        if self._int8 is None:
            self._int8 = Int8Rows()
            if not int8_is_exact(rows.shape[1]):
                self.int8_from = self._capacity + 1
                return None
        while self._int8.count + BLOCK <= self.count:
            self._int8.add(rows[self._int8.count : self._int8.count + BLOCK])
        return self._int8

    def _best_of(self, vector: np.ndarray, numbers: np.ndarray) -> float:
        """Return the largest cosine, which is that of one of the rows `numbers` (K,)."""
        rows = self._accepted()
        scores = (rows[numbers] @ vector).astype(np.float64)
        slack = 2 * rounding(len(vector)) * self._largest_norm * float(np.linalg.norm(vector.astype(np.float64)))
        return largest_cosine_at(rows, vector, numbers[scores >= scores.max() - 2 * slack])

    def _accepted(self) -> np.ndarray:
        assert self._rows is not None, "no identity yet"
        return self._rows[: self.count]
