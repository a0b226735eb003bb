"""Sets nodes aside whose workers fail to set up, so that one bad node does not end a run that others can make."""

import json
import socket
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress

from synfiqa.cluster.pipeline.layout.placement import Pool
from synfiqa.cluster.ray_cluster.nodes import Node
from synfiqa.cluster.telemetry.progress import announce
from synfiqa.schemas import errors
from synfiqa.schemas.errors import JobFailed, UserError

SET_ASIDE_AFTER = 2
"""Set-ups that fail on a node before it is set aside; a UserError, which no repetition changes, does it at once."""
NODE_LABEL = "ray.io/node-id"
"""The label that Ray gives each node."""
_NAMESPACE = b"synfiqa"


class SetUpFailed(Exception):
    """A worker could not be set up; the driver reads the reason from the cluster's table, not from this."""


def report_failure(session: str, error: UserError | JobFailed) -> None:
    """Record in the cluster's own table that this process could not be set up: the store may be what fails."""
    import ray
    from ray.experimental.internal_kv import _internal_kv_put

    if not ray.is_initialized():
        return
    node = ray.get_runtime_context().get_node_id()
    record = {"node": node, "host": socket.gethostname(), "type": type(error).__name__, "message": str(error)}
    with suppress(Exception):
        _internal_kv_put(f"{_prefix(session)}{uuid.uuid4().hex}", json.dumps(record), namespace=_NAMESPACE)


class SetAside:
    """The nodes that a stream no longer uses, by the failures that its workers have recorded."""

    def __init__(self) -> None:
        self._session = ""
        self._seen: set[bytes] = set()
        self._failures: Counter[str] = Counter()
        self._nodes: dict[str, UserError | JobFailed] = {}
        self._able: dict[str, set[str]] = defaultdict(set)
        """The nodes so far that could take a worker of a pool, by its name."""

    def follow(self, session: str) -> None:
        """Read the failures of this session from now on; nodes that are set aside stay so."""
        self.forget()
        self._session = session

    def forget(self) -> None:
        """Remove the records of the session that was followed."""
        from ray.experimental.internal_kv import _internal_kv_del

        with suppress(Exception):
            if self._session:
                _internal_kv_del(_prefix(self._session), del_by_prefix=True, namespace=_NAMESPACE)

    def look(self) -> bool:
        """Read new failures and write a sentence about each node that is set aside; return whether one is.

        While the cluster's table cannot be read, there are none.
        """
        from ray.experimental.internal_kv import _internal_kv_get, _internal_kv_list

        new = False
        with suppress(Exception):
            for key in _internal_kv_list(_prefix(self._session), namespace=_NAMESPACE):
                if key not in self._seen and (record := _internal_kv_get(key, namespace=_NAMESPACE)):
                    self._seen.add(key)
                    new |= self.count(json.loads(record))
        return new

    def count(self, record: dict[str, str]) -> bool:
        """Account for one failure; return whether its node is set aside by it."""
        node, error = record["node"], getattr(errors, record["type"], JobFailed)(record["message"])
        self._failures[node] += 1
        if node in self._nodes or (self._failures[node] < SET_ASIDE_AFTER and not isinstance(error, UserError)):
            return False
        self._nodes[node] = error
        announce(f"node {record['host']} is set aside, since workers cannot start there: {error}")
        return True

    def without(self, nodes: Sequence[Node]) -> list[Node]:
        """Return the nodes that are left; the error of the last one set aside when none is that has any CPU or GPU."""
        left = self.left(nodes)
        if self._nodes and not any(node.cpus or node.gpus for node in left):
            raise list(self._nodes.values())[-1]
        return left

    def left(self, nodes: Iterable[Node]) -> list[Node]:
        """Return the nodes that are not set aside."""
        return [node for node in nodes if node.id not in self._nodes]

    def require(self, pools: Iterable[Pool], nodes: Sequence[Node]) -> None:
        """Raise the error of a node set aside when no other node so far could take a worker of one of the pools.

        A good node that was lost may be replaced: that is waited for.
        """
        for pool in pools:
            able = self._able[pool.name]
            able |= {node.id for node in nodes if _could_take(node, pool)}
            if able and able <= self._nodes.keys():
                raise next(error for node, error in reversed(self._nodes.items()) if node in able)

    def selector(self) -> dict[str, str]:
        """Return the node labels that keep workers off the nodes that are set aside."""
        return {NODE_LABEL: f"!in({','.join(sorted(self._nodes))})"} if self._nodes else {}


def _could_take(node: Node, pool: Pool) -> bool:
    share = pool.resources
    return node.has(pool.labels) and node.cpus >= share.cpus - 1e-6 and node.gpus >= share.gpus - 1e-6


def _prefix(session: str) -> str:
    return f"synfiqa-failed-set-ups/{session}/"
