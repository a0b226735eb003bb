"""A cluster of one node with two CPUs that this process has joined, as a job on a real cluster has."""

from collections.abc import Iterator
from contextlib import contextmanager

import ray
from ray.cluster_utils import Cluster

from synfiqa.cluster.pipeline.ray_session import prepare_environment

TRIES = 3


@contextmanager
def joined_cluster() -> Iterator[Cluster]:
    prepare_environment()
    cluster = Cluster()
    try:
        _add_node(cluster)
        ray.init(address=cluster.address, logging_level="ERROR", log_to_driver=False)
        yield cluster
    finally:
        ray.shutdown()
        cluster.shutdown()


def _add_node(cluster: Cluster) -> None:
    # Ray gives a raylet 30 s to start, which a busy machine may miss.
    for left in reversed(range(TRIES)):
        try:
            cluster.add_node(num_cpus=2, object_store_memory=100_000_000)
            return
        except Exception:
            if not left:
                raise
