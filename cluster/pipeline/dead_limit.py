"""The limit of dead rows, which ends a run with exit code 3."""

from collections import Counter
from collections.abc import Iterable

from scipy.stats import binom

from synfiqa.schemas.errors import TooManyDead

CERTAINTY = 1e-3
"""A run under way stops when the probability of so many dead rows at the allowed rate is below this."""


class DeadLimit:
    """Counts planned and dead rows of one half of a run and stops it when the share of dead ones is too high.

    While work is under way the run only stops when chance cannot explain the dead rows at the
    allowed rate (one-sided binomial test); at the end the share itself decides.
    """

    def __init__(self, max_rate: float, what: str) -> None:
        self._max_rate = max_rate
        self._what = what
        self._errors: Counter[str] = Counter()
        self.planned = 0
        self.dead = 0

    def add(self, planned: int, dead: int, errors: Iterable[str] = ()) -> None:
        """Account for finished rows; `errors` are the causes of the dead ones."""
        self.planned += planned
        self.dead += dead
        self._errors.update(errors)

    def check(self) -> None:
        """Raise TooManyDead when chance cannot explain the dead rows so far."""
        if self.dead and float(binom.sf(self.dead - 1, self.planned, self._max_rate)) < CERTAINTY:
            self._stop()

    def check_final(self) -> None:
        """Raise TooManyDead when the share of dead rows is above the limit."""
        if self.dead > self._max_rate * self.planned:
            self._stop()

    def _stop(self) -> None:
        why = ", ".join(f"{count} x {error}" for error, count in self._errors.most_common(3)) or "see dead/"
        raise TooManyDead(
            f"{self.dead} of {self.planned} {self._what} are dead ({why}), more than resilience.max_dead_rate "
            f"{self._max_rate:g} allows: correct the cause and run `synfiqa replay RUN --dead`, "
            "or raise the limit to go on without them"
        )
