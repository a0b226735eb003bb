"""Ends idle workers of a run that another driver has taken over: they hold the GPUs that its workers wait for."""

import random
import threading
from collections.abc import Callable

from synfiqa.cluster.run.lease import Claim
from synfiqa.schemas.errors import RunHeld, StorageRefused, StorageUnavailable

LEAST_PAUSE_S = 1.0
"""Least seconds between two reads of the lease by a worker."""


def end_when_taken_over(
    claim: Claim, idle: Callable[[], bool], end: Callable[[], None] | None = None
) -> threading.Thread:
    """Read the lease beside the work, once in `ttl_s` seconds while `idle()`, and end this process when it is lost.

    A driver that is suspended, as by SIGSTOP, ends none of its workers itself. A worker in the middle of a unit goes on
    to its end. `end` replaces the end of the Ray actor.
    """

    def watch() -> None:
        while True:
            # Workers that start together would otherwise send their requests together for the whole run.
            pause.wait(max(LEAST_PAUSE_S, claim.ttl_s) * random.uniform(0.5, 1.0))
            if not idle():
                continue
            try:
                claim.check()
            except RunHeld:
                (end or _end_actor)()
                return
            except (StorageRefused, StorageUnavailable, OSError):
                # An outage ends the work itself; a worker without work waits for the store.
                continue

    pause = threading.Event()
    thread = threading.Thread(target=watch, name="taken-over", daemon=True)
    thread.start()
    return thread


def _end_actor() -> None:
    import ray

    # Without a restart, which would take the resources again.
    ray.kill(ray.get_runtime_context().current_actor, no_restart=True)
