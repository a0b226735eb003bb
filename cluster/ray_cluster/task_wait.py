"""Sentences and limits of the wait for the results of tasks on a cluster."""

import time
from collections.abc import Callable, Sequence

from synfiqa.cluster.ray_cluster.nodes import Node, total
from synfiqa.cluster.telemetry.progress import announce, clock
from synfiqa.schemas.config.cluster import ResilienceSection
from synfiqa.schemas.errors import JobFailed

FIRST_WORD_S = 30.0
"""Seconds without a result until the first sentence."""
LONGEST_SILENCE_S = 600.0
"""Most seconds between two sentences of one wait."""


class TaskWait:
    """The wait of a job for the next result of its tasks; times are those of `now`, in seconds."""

    def __init__(
        self,
        job: str,
        resilience: ResilienceSection,
        *,
        now: Callable[[], float] = time.monotonic,
        say: Callable[[str], None] = announce,
    ) -> None:
        self._job, self._resilience = job, resilience
        self._now, self._say = now, say
        self._any = False
        self._since = now()
        self._next = FIRST_WORD_S

    def result(self) -> None:
        """Account for a result: the wait for the next one begins."""
        self._any, self._since, self._next = True, self._now(), FIRST_WORD_S

    def look(self, nodes: Sequence[Node]) -> None:
        """Write what is due after a while without a result; JobFailed after the limit.

        That is `placement_wait_s` where no task has ended yet or no node has a CPU, and else `stall_s`.
        """
        waited = self._now() - self._since
        cpus, free = total(nodes)[0], sum(node.free_cpus for node in nodes)
        reason = f"the nodes have {free:g} of {cpus:g} CPUs free" if cpus else "no node of the cluster has a CPU"
        name = "stall_s" if self._any and cpus else "placement_wait_s"
        if waited >= getattr(self._resilience, name):
            raise JobFailed(
                f"{self._job} had no result of a task for {clock(waited)} ({reason}): correct the cluster, or raise "
                f"resilience.{name}, and run the same command again"
            )
        if waited >= self._next:
            self._next = waited + min(LONGEST_SILENCE_S, max(2 * FIRST_WORD_S, waited))
            self._say(f"{self._job}: no result of a task for {clock(waited)}; {reason}")
