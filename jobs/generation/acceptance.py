"""The share of candidates that become identities: it falls as identities are accepted, by a law with two numbers.

Of N accepted identities, a survivor of the filter is unlike all with probability (1 + h N / k)^-k: h is the share of
pairs of strangers that are too similar, and 1 / k how much it varies from face to face (the square of its relative
standard deviation, if it has a gamma distribution). The survivors that N identities take are the integral of the
inverse, the candidates these over the share that passes the filter:

    survivors(N) = k / (h (k + 1)) ((1 + h N / k)^(k + 1) - 1),    candidates = survivors / passes.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

FIRST_GUESS = 0.4
"""Share of candidates expected to pass the filter before any is seen."""
EVENNESS = 2.0
"""k of a face space of which nothing is known; the bundled one has 1 to 5, more where the rule is stricter."""
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
    """How candidates fare: the share that `passes` the filter, and h and k (`evenness`) of the law above."""

    passes: float = FIRST_GUESS
    too_similar: float = 0.0
    evenness: float = EVENNESS

    def candidates(self, accepted: int, wanted: int) -> float:
        """Return how many candidates are expected to take `accepted` identities to `wanted`."""
        return max(self._survivors(wanted) - self._survivors(accepted), 0.0) / max(self.passes, _LOWEST)

    def _survivors(self, identities: int) -> float:
        h, k = self.too_similar, self.evenness
        # Below a millionth the power loses the digits that count, and duplicates do not.
        if h * identities < 1e-6:
            return float(identities)
        return k / (h * (k + 1)) * ((1 + h * identities / k) ** (k + 1) - 1)


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
        """Return the shares of the recent candidates; how they vary is not estimated but taken as known before."""
        recent, before = self._sum, self._before
        passed = recent.survivors + _CANDIDATES_BEFORE * before.passes
        passes = passed / (recent.decided + _CANDIDATES_BEFORE)
        alike = recent.duplicates + _PAIRS_BEFORE * before.too_similar
        per_identity = alike / (recent.pairs + _PAIRS_BEFORE)
        return FaceSpace(passes, _start_of(per_identity, self._identities(), before.evenness), before.evenness)

    def _identities(self) -> float:
        """Return N, on average over the recent acceptances."""
        return self._sum.pairs / max(self._sum.survivors - self._sum.duplicates, 1)


def _start_of(odds: float, identities: float, k: float) -> float:
    """Return the h with which the odds of a duplicate for each of N accepted identities are `odds`.

    Odds of N h hold for the first identities; later they grow, since (1 + h N / k)^k - 1 does.
    """
    return k * ((1 + odds * identities) ** (1 / k) - 1) / identities if identities else odds


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
