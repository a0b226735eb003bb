"""The registry decides uniqueness greedily in candidate order and numbers the accepted identities.

Order of decision is candidate order, never order of arrival, and its whole state is the ledger: rebuilding it from
committed units and going on gives what an uninterrupted run gives.
"""

from collections import Counter

import numpy as np
import pyarrow as pa

from synfiqa.actors.stages.columns import set_columns

COLUMNS = ["candidate", "status", "reason", "embedding"]
"""What a registry needs of the ledger to be rebuilt."""


class IdentityRegistry:
    """Accepts a surviving candidate when its cosine to every identity accepted before is at most `max_similarity`."""

    def __init__(self, target: int, max_similarity: float) -> None:
        self._target = target
        self._max_similarity = max_similarity
        self._embeddings: np.ndarray | None = None
        self.accepted = 0
        self.reasons: Counter[str] = Counter()
        self.dead: set[int] = set()
        self.next_candidate = 0

    @property
    def decided(self) -> int:
        """Candidates so far: accepted + rejected + dead."""
        return self.accepted + self.reasons.total() + len(self.dead)

    @property
    def complete(self) -> bool:
        """Whether as many identities are accepted as the run wants."""
        return self.accepted >= self._target

    def restore(self, unit: pa.Table) -> None:
        """Take over a committed unit, of which COLUMNS are enough; units must come in order."""
        rows = unit.select(COLUMNS).to_pylist()
        for row in rows:
            if row["status"] == "accepted":
                self._remember(np.asarray(row["embedding"], np.float32))
            self._count(row["candidate"], row["status"], row["reason"])

    def decide(self, unit: pa.Table) -> pa.Table:
        """Return the unit with status, reason, value and identity of every candidate final."""
        status, reason = unit["status"].to_pylist(), unit["reason"].to_pylist()
        value, identity = unit["value"].to_pylist(), [None] * unit.num_rows
        for row, embedding in enumerate(unit["embedding"].to_pylist()):
            if status[row] in ("rejected", "dead"):
                continue
            vector = np.asarray(embedding, np.float32)
            similarity = self._nearest(vector)
            if self.complete:
                status[row], reason[row] = "rejected", "surplus"
            elif similarity > self._max_similarity:
                status[row], reason[row], value[row] = "rejected", "duplicate", similarity
            else:
                status[row], value[row] = "accepted", similarity if self.accepted else None
                identity[row] = self.accepted  # type: ignore[call-overload]
                self._remember(vector)
        for number, state, why in zip(unit["candidate"].to_pylist(), status, reason, strict=True):
            self._count(number, state, why)
        return set_columns(unit, {"status": status, "reason": reason, "value": value, "identity": identity})

    def _count(self, candidate: int, status: str, reason: str) -> None:
        self.next_candidate = max(self.next_candidate, candidate + 1)
        # A replayed candidate is dead in one unit of the ledger and decided in a later one.
        self.dead.discard(candidate)
        if status == "rejected":
            self.reasons[reason] += 1
        elif status == "dead":
            self.dead.add(candidate)

    def _nearest(self, vector: np.ndarray) -> float:
        if self._embeddings is None or not self.accepted:
            return -1.0
        # Rounding may carry the cosine of two equal unit vectors past 1.
        return min(float((self._embeddings[: self.accepted] @ vector).max()), 1.0)

    def _remember(self, vector: np.ndarray) -> None:
        if self._embeddings is None:
            self._embeddings = np.zeros((max(self._target, 1), len(vector)), np.float32)
        self._embeddings[self.accepted] = vector
        self.accepted += 1
