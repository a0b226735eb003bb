"""The registry decides uniqueness greedily in candidate order and numbers the accepted identities.

Order of decision is candidate order, never order of arrival, and its whole state is the ledger: rebuilding it from
committed units and going on gives what an uninterrupted run gives.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from synfiqa.actors.stages.columns import set_columns
from synfiqa.actors.stages.uniqueness.accepted import AcceptedIdentities

COLUMNS = ["candidate", "status", "reason", "embedding"]
"""What a registry needs of the ledger to be rebuilt."""
SURPLUS = "surplus"
"""Reason of a candidate that came after enough identities: it passed the filter and was not compared."""


class IdentityRegistry:
    """Accepts a surviving candidate when its cosine to every identity accepted before is at most `max_similarity`."""

    def __init__(self, target: int, max_similarity: float) -> None:
        self._target = target
        self._max_similarity = max_similarity
        self._identities = AcceptedIdentities(target)
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

    @property
    def at_once(self) -> int:
        """Candidates that are worth deciding in one call; any number gives the same decisions."""
        return self._identities.at_once

    def aim(self, target: int) -> None:
        """Accept until there are so many identities, at most as many as at first."""
        self._target = target

    def restore(self, unit: pa.Table) -> None:
        """Take over a committed unit, of which COLUMNS are enough; units must come in order."""
        vectors = _embeddings(unit.filter(pc.equal(unit["status"], "accepted"))["embedding"])
        if len(vectors):
            self._identities.add(vectors)
            self.accepted += len(vectors)
        self._count(unit)

    def decide(self, unit: pa.Table) -> pa.Table:
        """Return the unit with status, reason, value and identity of every candidate final."""
        return next(self.decide_units([unit]))

    def decide_units(self, units: Sequence[pa.Table]) -> Iterator[pa.Table]:
        """Yield one unit after the other, decided; comparing the candidates of several at once takes less time.

        A unit is counted when it is yielded, so that a caller may stop at any.
        """
        cosines = self._cosines(units)
        for unit in units:
            decided = self._decide(unit, cosines)
            self._count(decided)
            yield decided

    def reopen(self, unit: pa.Table) -> pa.Table:
        """Return a counted unit whose surplus candidates are decided anew and all others left as they are."""
        surplus = pc.equal(unit["reason"], SURPLUS).to_numpy()
        status, reason = unit["status"].to_pylist(), unit["reason"].to_pylist()
        for row in np.flatnonzero(surplus).tolist():
            status[row], reason[row] = "", ""
        undecided = set_columns(unit, {"status": status, "reason": reason})
        decided = self._decide(undecided, self._cosines([undecided]))
        self.reasons = self.reasons - Counter({SURPLUS: int(surplus.sum())})
        self._count(decided.filter(pa.array(surplus)))
        return decided

    def _cosines(self, units: Sequence[pa.Table]) -> Iterator[tuple[np.ndarray, float]]:
        """Yield the embedding of each undecided candidate, and its largest cosine at that moment."""
        undecided = [_embeddings(unit.filter(pc.invert(_settled(unit)))["embedding"]) for unit in units]
        vectors = [vector for unit in undecided for vector in unit]
        yield from zip(vectors, self._identities.cosines(vectors), strict=True)

    def _decide(self, unit: pa.Table, cosines: Iterator[tuple[np.ndarray, float]]) -> pa.Table:
        status, reason = unit["status"].to_pylist(), unit["reason"].to_pylist()
        value, identity = unit["value"].to_pylist(), unit["identity"].to_pylist()
        for row in np.flatnonzero(~_settled(unit).to_numpy()).tolist():
            if self.complete:
                status[row], reason[row] = "rejected", SURPLUS
                continue
            vector, similarity = next(cosines)
            if similarity > self._max_similarity:
                status[row], reason[row], value[row] = "rejected", "duplicate", similarity
            else:
                status[row], value[row] = "accepted", similarity if self.accepted else None
                identity[row] = self.accepted
                self._identities.add(vector)
                self.accepted += 1
        return set_columns(unit, {"status": status, "reason": reason, "value": value, "identity": identity})

    def _count(self, unit: pa.Table) -> None:
        """Count the outcomes of a decided unit, of which identities are counted already."""
        columns = (unit[name].to_pylist() for name in ("candidate", "status", "reason"))
        for candidate, status, reason in zip(*columns, strict=True):
            self.next_candidate = max(self.next_candidate, candidate + 1)
            # A replayed candidate is dead in one unit of the ledger and decided in a later one.
            self.dead.discard(candidate)
            if status == "rejected":
                self.reasons[reason] += 1
            elif status == "dead":
                self.dead.add(candidate)


def _settled(unit: pa.Table) -> pa.ChunkedArray:
    """Return for each candidate whether it is decided, the filter rejected it or it could not be made."""
    return pc.is_in(unit["status"], pa.array(["accepted", "rejected", "dead"]))


def _embeddings(column: pa.ChunkedArray) -> np.ndarray:
    """Return float32 (N, D) of a column of lists of one length; (0, 0) when it is empty."""
    lists = column.combine_chunks()
    if not len(lists):
        return np.zeros((0, 0), np.float32)
    if lists.null_count:
        raise ValueError("a candidate that is neither rejected nor dead has no embedding")
    return lists.flatten().to_numpy(zero_copy_only=False).astype(np.float32).reshape(len(lists), -1)
