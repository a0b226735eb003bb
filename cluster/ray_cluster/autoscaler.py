"""The autoscaler of a Ray cluster, where one runs: how far it may grow the cluster, and what a job requests of it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Bundle:
    """What one worker takes, and the labels of its node."""

    cpus: float
    gpus: float
    labels: Mapping[str, str] = field(default_factory=dict)


def growth_limits() -> tuple[float, float] | None:
    """Return the CPUs and GPUs that the autoscaler may grow the cluster to; None where no autoscaler runs."""
    # Ray has no public way to the limits of its autoscaler; Ray Data and Ray Train read them like this.
    from ray._private.state import state

    limits = state.get_max_resources_from_cluster_config()
    return None if limits is None else (float(limits.get("CPU", 0.0)), float(limits.get("GPU", 0.0)))


def own_cluster() -> bool:
    """Return whether the cluster is this process's own, which no other node joins; also before Ray is initialised."""
    import ray
    from ray._private import worker

    if not ray.is_initialized():
        return True
    # A driver that has joined a cluster has a record of a node too, but not that of the head.
    return worker._global_node is not None and worker._global_node.is_head()


@contextmanager
def requested(bundles: Sequence[Bundle]) -> Iterator[None]:
    """Have the autoscaler hold room for `bundles` inside the block; without an autoscaler do nothing."""
    if not bundles or growth_limits() is None:
        yield
        return
    _request(bundles)
    try:
        yield
    finally:
        # A request stays until the next one, and would keep idle nodes for good.
        with suppress(Exception):
            _request(())


def _request(bundles: Sequence[Bundle]) -> None:
    from ray.autoscaler.sdk import request_resources

    shapes = [
        {name: share for name, share in (("CPU", bundle.cpus), ("GPU", bundle.gpus)) if share} for bundle in bundles
    ]
    request_resources(bundles=shapes, bundle_label_selectors=[dict(bundle.labels) for bundle in bundles])
