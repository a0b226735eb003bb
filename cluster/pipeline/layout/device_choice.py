"""Chooses whether a run computes on CPUs or GPUs, once: it decides the last bits of the floats (promise 1)."""

import time
from collections.abc import Callable, Mapping

from synfiqa.cluster.pipeline.layout.placement import require_gpu
from synfiqa.cluster.pipeline.layout.room import NodeWait, usable_nodes
from synfiqa.cluster.ray_cluster.autoscaler import growth_limits, own_cluster
from synfiqa.cluster.ray_cluster.nodes import Node, total
from synfiqa.cluster.telemetry.progress import announce
from synfiqa.schemas.config.cluster import PlacementSection, ResilienceSection

SETTLE_S = 30.0
"""Seconds without a new node after which a cluster that began without workers counts as complete."""
_GPU_LABEL = "ray.io/accelerator-type"


def choose_device(
    placement: PlacementSection,
    resilience: ResilienceSection,
    recorded: str = "",
    look: Callable[[], list[Node]] = usable_nodes,
) -> str:
    """Return `cpu` or `cuda`; `recorded` is that of the run's recipe, empty for a new run.

    With `auto` a run is one of GPUs when the cluster has some, when its recipe says so, or when GPUs may still come: by
    the autoscaler, or for stages with the label of an accelerator. A cluster without any worker is waited for, up to
    `resilience.placement_wait_s`. UserError when GPUs are demanded of this machine, which has none.
    """
    if placement.device == "cpu":
        return "cpu"
    if own_cluster():
        gpus = total(look())[1]
        require_gpu(placement, gpus)
        return "cuda" if gpus > 0 else "cpu"
    if placement.device == "cuda":
        return "cuda"
    nodes = look()
    if total(nodes)[1] > 0:
        return "cuda"
    if recorded == "cuda":
        announce("the run was begun on GPUs, of which the cluster has none now: it goes on when some come")
        return "cuda"
    if _gpus_may_come(placement.labels):
        announce("no GPU has come yet, and some may: the run is one of GPUs; for CPUs use --set placement.device=cpu")
        return "cuda"
    if recorded or growth_limits() is not None:
        return "cpu"
    return "cuda" if total(_first_nodes(nodes, resilience, look))[1] > 0 else "cpu"


def _gpus_may_come(labels: Mapping[str, Mapping[str, str]]) -> bool:
    limits = growth_limits()
    return (limits is not None and limits[1] > 0) or any(_GPU_LABEL in selector for selector in labels.values())


def _first_nodes(nodes: list[Node], resilience: ResilienceSection, look: Callable[[], list[Node]]) -> list[Node]:
    """Return the nodes as soon as some have CPUs or GPUs and, if none had at first, no more come."""
    if any(total(nodes)):
        return nodes
    changed = time.monotonic()
    wait = NodeWait(resilience)
    while True:
        if any(total(nodes)) and time.monotonic() - changed >= SETTLE_S:
            return nodes
        wait.go_on(
            f"waiting for the first worker nodes: the cluster has {total(nodes)[0]:g} CPUs and no GPU, and which come "
            "decides on what the run computes;",
            lambda waited: f"no worker node came for {waited}: add nodes with CPUs or GPUs",
        )
        before, nodes = total(nodes), look()
        if total(nodes)[1] > 0:
            return nodes
        if total(nodes) != before:
            changed = time.monotonic()
