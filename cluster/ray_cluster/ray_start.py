"""Starts Ray on this machine or joins a running cluster; each failure is one sentence."""

import logging
import os

from synfiqa.cluster.ray_cluster.core_errors import announce_core_errors
from synfiqa.cluster.ray_cluster.core_lines import core_lines_as_ours
from synfiqa.cluster.ray_cluster.ray_address import require_reachable
from synfiqa.cluster.ray_cluster.ray_version import other_version, versions_in
from synfiqa.cluster.telemetry.progress import announce
from synfiqa.schemas.errors import JobFailed, UserError

_TRIES = 2


def join(address: str) -> None:
    """Join the cluster at `address`, the value of RAY_ADDRESS; UserError when it cannot be joined."""
    require_reachable(address)
    import ray

    announce_core_errors()
    try:
        # `auto` is the address in RAY_ADDRESS.
        with core_lines_as_ours():
            ray.init(address="auto", log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError) as error:
        ray.shutdown()
        if found := versions_in(str(error)):
            raise other_version(address, found) from error
        raise UserError(
            f"cannot join the Ray cluster at {address} ({_first_line(error)}): start it, or unset RAY_ADDRESS to run "
            "here"
        ) from error


def start(num_cpus: int | None = None) -> None:
    """Start Ray on this machine; once more when its processes were late, then JobFailed."""
    import ray

    announce_core_errors()
    for attempt in range(1, _TRIES + 1):
        try:
            # `local`, or a cluster that already runs on this machine would be joined.
            with core_lines_as_ours():
                ray.init(
                    address="local",
                    num_cpus=num_cpus,
                    include_dashboard=False,
                    log_to_driver=False,
                    logging_level=logging.ERROR,
                )
            return
        # Ray raises a bare Exception when a process of its own is later than its 30 s.
        except Exception as error:
            ray.shutdown()
            if attempt == _TRIES:
                raise JobFailed(
                    f"Ray did not start on this machine in {_TRIES} tries ({_first_line(error)}): free some of its "
                    f"{os.cpu_count()} CPUs and its memory, and run the same command again"
                ) from error
            announce(f"Ray did not start ({_first_line(error)}): trying once more")


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].strip().rstrip(".:") if lines else type(error).__name__
