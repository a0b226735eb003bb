"""Trying again: transient errors with growing, fully random waits until a budget of time is spent."""

import logging
import math
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from synfiqa.cluster.storage.faults import Fault, fault_of
from synfiqa.schemas.errors import StorageRefused, StorageUnavailable

_FIRST_WAIT_S = 0.1
_LONGEST_WAIT_S = 20.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Retrying:
    """Runs requests to a store until they succeed, are refused, or have failed for `budget_s` seconds.

    The waits are random between nothing and a bound that doubles, so that a thousand workers that a store has
    throttled at one moment do not come back at one moment.
    """

    budget_s: float = 300.0
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    uniform: Callable[[float, float], float] = random.uniform

    def call[T](self, request: Callable[[], T], name: str) -> T:
        """Return what the request returns; `name` is what people are told failed, free of credentials.

        StorageRefused for a final error, StorageUnavailable when the budget is spent; errors that say something
        about the object (missing, existing) or that no store has made pass unchanged.
        """

        def once(_: Sequence[None]) -> list[T | Exception]:
            try:
                return [request()]
            except Exception as error:
                return [error]

        return self.each(once, [None], [name])[0]

    def each[K, T](
        self, request: Callable[[Sequence[K]], Sequence[T | Exception]], keys: Sequence[K], names: Sequence[str]
    ) -> list[T]:
        """Return one result a key, asking again only for the keys that failed; the budget restarts with progress."""
        results: dict[int, T] = {}
        open_keys = list(range(len(keys)))
        attempt, deadline = 0, math.inf
        while open_keys:
            failed: list[int] = []
            for at, outcome in zip(open_keys, request([keys[at] for at in open_keys]), strict=True):
                if not isinstance(outcome, Exception):
                    results[at] = outcome
                    continue
                fault = _transient(outcome, names[at])
                failed.append(at)
            if len(failed) < len(open_keys) or deadline == math.inf:
                attempt, deadline = 0, self.clock() + self.budget_s
            open_keys = failed
            if failed:
                self._wait(attempt, deadline, fault, names[failed[0]])
                attempt += 1
        return [results[at] for at in range(len(keys))]

    def _wait(self, attempt: int, deadline: float, fault: Fault, name: str) -> None:
        left = deadline - self.clock()
        if left <= 0:
            raise StorageUnavailable(
                f"{name}: {fault.what}, for longer than {self.budget_s:g} s; {fault.remedy}"
            ) from fault.error
        bound = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2 ** min(attempt, 30))
        wait = min(self.uniform(0, bound), left)
        _log.info("%s: %s; trying again in %.1f s, for up to %.0f s", name, fault.what, wait, left)
        self.sleep(wait)


def _transient(error: Exception, name: str) -> Fault:
    if isinstance(error, StorageRefused | StorageUnavailable):
        raise error  # a request inside this one has been tried to the end
    fault = fault_of(error)
    if fault is None:
        raise error
    if not fault.transient:
        raise StorageRefused(f"{name}: {fault.what}; {fault.remedy}") from error
    return fault
