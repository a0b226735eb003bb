"""Retries requests after transient errors, with growing random waits, within a budget of time."""

import logging
import math
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from synfiqa.cluster.storage.faults import Fault, fault_of
from synfiqa.cluster.telemetry.run_metrics import repeated
from synfiqa.schemas.errors import StorageRefused, StorageUnavailable

_FIRST_WAIT_S = 0.1
_LONGEST_WAIT_S = 20.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Retrying:
    """Repeats requests to a store until they succeed, are refused, or have failed for `budget_s` seconds.

    Each wait is uniform between 0 and a bound that doubles, so that workers throttled at one moment do not all retry
    at one moment.
    """

    budget_s: float = 300.0
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    uniform: Callable[[float, float], float] = random.uniform

    def call[T](self, request: Callable[[], T], name: str) -> T:
        """Return the result of the request; `name` is the failed action in messages, without credentials.

        StorageRefused for a permanent error, StorageUnavailable when the budget is spent; errors about the object
        (missing, existing) and errors that come from no store are raised unchanged.
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
        """Return one result for each key; repeats only failed keys, and the budget restarts with progress."""
        results: dict[int, T] = {}
        open_keys = list(range(len(keys)))
        attempt, deadline = 0, math.inf
        while open_keys:
            failed: list[int] = []
            for at, outcome in zip(open_keys, request([keys[at] for at in open_keys]), strict=True):
                if not isinstance(outcome, Exception):
                    results[at] = outcome
                    continue
                fault = _transient_fault(outcome, names[at])
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
        repeated("request")
        self.sleep(wait)


def _transient_fault(error: Exception, name: str) -> Fault:
    if isinstance(error, StorageRefused | StorageUnavailable):
        raise error  # an inner request has spent its own budget
    fault = fault_of(error)
    if fault is None:
        raise error
    if not fault.transient:
        raise StorageRefused(f"{name}: {fault.what}; {fault.remedy}") from error
    return fault
