"""The share of candidates that become identities: it falls as identities are accepted, and how it falls can be measured.

A survivor of the filter duplicates one of N accepted identities with odds of about h N, where h is the share of pairs
of strangers that are too similar. From one accepted identity to the next, h N duplicates are expected, so

    survivors(N to M) = M - N + h (M^2 - N^2) / 2,    candidates = survivors / share that passes the filter,

and h is estimated as the duplicates over the sum of N at each acceptance.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

FIRST_GUESS = 0.4
"""Share of candidates expected to pass the filter before any is seen."""
RECENT = 2000
"""Candidates whose outcomes are remembered: their marginal share counts, not the average since the beginning."""
MARGIN = 1.5
"""Planned over expected candidates: surplus units cost little, too few cost another start of all workers."""
_LOWEST = 0.02
"""Lowest share that is planned with, so that one unlucky unit does not plan for hours."""
_CANDIDATES_BEFORE, _PAIRS_BEFORE = 20, 500
"""Candidates, and pairs of survivor and accepted identity, that count as much as what is known before a run."""


@dataclass(frozen=True)
class FaceSpace:
    """How candidates fare: the share `passes` that the filter lets through, and of stranger pairs too similar."""

    passes: float = FIRST_GUESS
    too_similar: float = 0.0

    def candidates(self, accepted: int, wanted: int) -> float:
        """Return how many candidates are expected to take `accepted` identities to `wanted`."""
        missing = max(wanted - accepted, 0)
        survivors = missing + self.too_similar * missing * (wanted + accepted) / 2
        return survivors / max(self.passes, _LOWEST)


class Acceptance:
    """Outcomes of the recent candidates of a run, and what they say of those to come, beside what is known `before`."""

    def __init__(self, before: FaceSpace | None = None) -> None:
        self._before = before or FaceSpace()
        self._units: deque[_Outcome] = deque()
        self._sum = _Outcome()

    def add(self, accepted_before: int, counts: Mapping[str, int]) -> None:
        """Take over the counts of a decided unit; surplus candidates were not decided, and do not count."""
        accepted, duplicates = counts["accepted"], counts.get("rejected:duplicate", 0)
        pairs = accepted * accepted_before + accepted * (accepted - 1) // 2
        decided = counts["planned"] - counts.get("rejected:surplus", 0)
        unit = _Outcome(decided, accepted + duplicates, duplicates, pairs)
        self._units.append(unit)
        self._sum = self._sum.plus(unit)
        while self._sum.decided - self._units[0].decided >= RECENT:
            self._sum = self._sum.plus(self._units.popleft(), -1)

    def face_space(self) -> FaceSpace:
        """Return the shares of the recent candidates."""
        recent, before = self._sum, self._before
        passed = recent.survivors + _CANDIDATES_BEFORE * before.passes
        alike = recent.duplicates + _PAIRS_BEFORE * before.too_similar
        return FaceSpace(passed / (recent.decided + _CANDIDATES_BEFORE), alike / (recent.pairs + _PAIRS_BEFORE))


@dataclass(frozen=True)
class _Outcome:
    """Decided candidates, survivors of the filter, duplicates, and the sum of N at each acceptance."""

    decided: int = 0
    survivors: int = 0
    duplicates: int = 0
    pairs: int = 0

    def plus(self, other: "_Outcome", sign: int = 1) -> "_Outcome":
        return _Outcome(
            self.decided + sign * other.decided,
            self.survivors + sign * other.survivors,
            self.duplicates + sign * other.duplicates,
            self.pairs + sign * other.pairs,
        )
