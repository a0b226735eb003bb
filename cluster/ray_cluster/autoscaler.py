"""The autoscaler of a Ray cluster, where one runs: how far it may grow the cluster, and what a job requests of it."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from synfiqa.cluster.ray_cluster.nodes import Node, total
from synfiqa.schemas.errors import UserError

MOST_NODES = "SYNFIQA_MOST_NODES"
"""Variable with the most nodes of each kind that the autoscaler may have, which manifests give to the driver."""


@dataclass(frozen=True)
class Bundle:
    """CPUs and GPUs that have to fit on one node, and the labels that it must have, in Ray's notation."""

    cpus: float
    gpus: float
    labels: Mapping[str, str] = field(default_factory=dict)


def most_nodes() -> list[Node]:
    """Return the nodes that the autoscaler may grow the cluster to, by SYNFIQA_MOST_NODES; none where it is not set.

    Ray's own autoscalers do not report their limits to jobs. UserError when the variable cannot be read.
    """
    text = os.environ.get(MOST_NODES, "")
    if not text or own_cluster():
        return []
    try:
        return [Node(**fields) for count, fields in _kinds(json.loads(text)) for _ in range(count)]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(
            f"{MOST_NODES} is no list of nodes as `synfiqa deploy render` writes it ({error}): correct or unset it"
        ) from error


def nodes_text(kinds: Iterable[tuple[int, Node]]) -> str:
    """Return the value of SYNFIQA_MOST_NODES for so many nodes of each kind."""
    fields = ("cpus", "gpus", "memory_mb", "labels")
    shown = ((count, {name: getattr(node, name) for name in fields}) for count, node in kinds)
    return json.dumps(
        [{"nodes": count, **{name: value for name, value in node.items() if value}} for count, node in shown],
        separators=(",", ":"),
    )


def _kinds(tree: list[dict[str, Any]]) -> Iterator[tuple[int, dict[str, Any]]]:
    for kind in tree:
        labels = {str(label): str(value) for label, value in kind.get("labels", {}).items()}
        numbers = {name: float(kind.get(name, 0)) for name in ("cpus", "gpus", "memory_mb")}
        yield int(kind["nodes"]), {**numbers, "labels": labels}


def growth_limits() -> tuple[float, float] | None:
    """Return the CPUs and GPUs that the autoscaler may grow the cluster to; None where that is not known."""
    # Ray has no public way to the limits of its autoscaler; Ray Data and Ray Train read them like this. In 2.60 the
    # autoscaler of a host may report them, and those of Ray itself (KubeRay, `ray up`) do not.
    from ray._private.state import state

    limits = state.get_max_resources_from_cluster_config()
    if limits is not None:
        return float(limits.get("CPU", 0.0)), float(limits.get("GPU", 0.0))
    nodes = most_nodes()
    return total(nodes) if nodes else None


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
    """Have the autoscaler hold room for `bundles` inside the block; it grants all of them or none."""
    if not bundles:
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
