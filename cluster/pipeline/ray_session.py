"""Starting Ray quietly on this machine, or joining the cluster that a job was submitted to."""

import logging
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from synfiqa.cluster.ray_cluster.autoscaler import growth_limits
from synfiqa.cluster.ray_cluster.ray_address import cluster_at_hand
from synfiqa.cluster.ray_cluster.ray_start import join, start
from synfiqa.cluster.telemetry.log_lines import dress_loggers

_ENVIRONMENT = {
    # Under `uv run` Ray would rebuild the environment in every worker.
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    # Workers run at nice 15 by default and starve on a shared machine.
    "RAY_worker_niceness": "0",
    "RAY_TRAIN_V2_ENABLED": "1",
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    # Harmless notes about constructor arguments are logged as errors by the core.
    "RAY_BACKEND_LOG_LEVEL": "fatal",
}

# Threads named Prefetcher are left out: Ray Data never ends that of an abandoned iterator, which makes no calls to Ray.
_RAY_DATA_THREADS = ("StreamingExecutor-", "iter_threaded", "ray-data-metadata-prefetch")
_THREADS_S = 15.0


class Terminated(KeyboardInterrupt):
    """The process received SIGTERM, as `ray job stop` sends it; handled like Ctrl-C."""


def prepare_environment() -> None:
    """Set what Ray reads from the environment when it is imported; values that the user set stay."""
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)


@contextmanager
def ray_session(num_cpus: int | None = None) -> Iterator[None]:
    """Have Ray ready inside the block: reuse a started one, join RAY_ADDRESS, or start one and end it after."""
    prepare_environment()
    import ray

    if ray.is_initialized():
        yield
        return
    if address := os.environ.get("RAY_ADDRESS"):
        join(address)
    else:
        start(num_cpus)
    dress_loggers("ray")
    # ray.init installs a handler of its own, which would leave no time to release the run.
    with terminate_like_interrupt():
        try:
            yield
        finally:
            _await_ray_data(_THREADS_S)
            ray.shutdown()


@contextmanager
def cluster_session() -> Iterator[None]:
    """Have the cluster at hand joined inside the block; where there is none, do nothing and leave Ray alone."""
    if not cluster_at_hand():
        yield
        return
    with ray_session():
        yield


@contextmanager
def terminate_like_interrupt() -> Iterator[None]:
    """Raise Terminated on SIGTERM inside the block, in the main thread; elsewhere do nothing."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    received = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        # `ray job stop` repeats the signal; a second one must not interrupt the clean-up of the first.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        received.set()
        raise Terminated

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    except KeyboardInterrupt as error:
        # Ray replaces what a handler raises while it waits for a result.
        if received.is_set() and not isinstance(error, Terminated):
            raise Terminated from error
        raise
    finally:
        with suppress(TypeError):
            signal.signal(signal.SIGTERM, before)


def quiet_ray() -> None:
    """Leave only errors of Ray Data and Ray Train on the terminal; call after importing them, they set levels."""
    for name in ("ray.data", "ray.train"):
        logging.getLogger(name).setLevel(logging.ERROR)
        dress_loggers(name)


def _await_ray_data(seconds: float) -> None:
    """Wait for the threads of Ray Data that call Ray, at most so many seconds in all."""
    # Ray's core ends the whole process with exit code 1, and without a word, when a thread calls it after
    # ray.shutdown(); Ray Data itself waits two seconds for its scheduler and not at all for the others.
    ends = time.monotonic() + seconds
    for thread in threading.enumerate():
        if thread.name.startswith(_RAY_DATA_THREADS):
            thread.join(max(0.0, ends - time.monotonic()))


def cluster_resources() -> tuple[float, float]:
    """Return the CPUs and GPUs that the cluster holds now."""
    import ray

    resources = ray.cluster_resources()
    return float(resources.get("CPU", 0.0)), float(resources.get("GPU", 0.0))


def cluster_limits() -> tuple[float, float]:
    """Return the CPUs and GPUs that the cluster holds now or, where it scales itself, those that it may grow to."""
    limits = growth_limits() or (0.0, 0.0)
    cpus, gpus = cluster_resources()
    return max(cpus, limits[0]), max(gpus, limits[1])
