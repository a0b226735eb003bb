"""The nodes of a Ray cluster: what they hold, what of it is free, and which labels they carry."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

_SEVERAL = re.compile(r"in\((.*)\)")


@dataclass(frozen=True)
class Node:
    """A node that is alive: the CPUs and GPUs that it holds and that are free, labels, Ray's id of it, memory.

    A node that is `draining` has been given notice: it finishes what it has and takes nothing new.
    """

    cpus: float
    gpus: float
    labels: Mapping[str, str] = field(default_factory=dict)
    free_cpus: float = 0.0
    free_gpus: float = 0.0
    id: str = ""
    draining: bool = False
    memory_mb: float = 0.0

    def has(self, selector: Mapping[str, str]) -> bool:
        """Return whether the node has all labels of a selector, in Ray's notation: `a`, `!a`, `in(a,b)`, `!in(a,b)`."""
        return all(_meets(self.labels.get(label), wanted) for label, wanted in selector.items())


def alive_nodes() -> list[Node]:
    """Return the nodes of the cluster; needs Ray to be initialised."""
    import ray

    # Ray has no public way to what is free on each node.
    from ray._private.state import state

    free, draining = state.available_resources_per_node(), state.get_draining_nodes()
    return [
        _node(found, free.get(found["NodeID"], {}), draining=found["NodeID"] in draining)
        for found in ray.nodes()
        if found["Alive"]
    ]


def lost_nodes() -> int:
    """Return how many nodes the cluster has had that are no longer alive; needs Ray to be initialised."""
    import ray

    return sum(not found["Alive"] for found in ray.nodes())


def total(nodes: Iterable[Node]) -> tuple[float, float]:
    """Return the sums of CPUs and GPUs."""
    held = list(nodes)
    return sum(node.cpus for node in held), sum(node.gpus for node in held)


def label_text(selector: Mapping[str, str]) -> str:
    """Return a selector as `pool=small, zone=a`."""
    return ", ".join(f"{label}={value}" for label, value in selector.items())


def _node(found: dict, free: dict, *, draining: bool) -> Node:
    held = found["Resources"]
    return Node(
        cpus=float(held.get("CPU", 0.0)),
        gpus=float(held.get("GPU", 0.0)),
        labels=dict(found.get("Labels") or {}),
        free_cpus=float(free.get("CPU", 0.0)),
        free_gpus=float(free.get("GPU", 0.0)),
        id=found["NodeID"],
        draining=draining,
        memory_mb=float(held.get("memory", 0.0)) / 1024**2,
    )


def _meets(value: str | None, wanted: str) -> bool:
    positive = wanted.removeprefix("!")
    several = _SEVERAL.fullmatch(positive)
    choices = [choice.strip() for choice in several[1].split(",")] if several else [positive]
    return (value in choices) != wanted.startswith("!")
