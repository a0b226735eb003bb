"""Looks at a Ray Data execution from its own scheduling loop: resizes its pools, and ends it with one sentence."""

import logging
import sys
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ray.data import DataContext
from ray.data._internal.execution.execution_callback import ExecutionCallback

from synfiqa.cluster.pipeline.layout.placement import Pool
from synfiqa.cluster.pipeline.layout.pool_sizes import MeasuredPace
from synfiqa.cluster.pipeline.layout.resizing import Resizing
from synfiqa.cluster.pipeline.layout.set_aside import SetAside
from synfiqa.cluster.pipeline.waits import Look, Shrunk, Waits
from synfiqa.cluster.ray_cluster.nodes import Node, alive_nodes
from synfiqa.cluster.ray_cluster.worker_states import WorkerStates, worker_states
from synfiqa.schemas.errors import JobFailed, UserError

LOOK_S = 5.0
"""Seconds between two looks."""

_KEY = "synfiqa_watched"


@dataclass(frozen=True)
class Watched:
    """What an execution is held to: waits, nodes set aside, and sizes of its pools, in order, on nodes for new work.

    `pace` is that of its stages so far, by which the pools are sized; `show` takes the states of its workers.
    """

    pools: Sequence[Pool]
    waits: Waits
    aside: SetAside
    sizes: Callable[[Sequence[Node]], Sequence[int]]
    pace: MeasuredPace
    show: Callable[[Mapping[str, WorkerStates]], None] = field(default=lambda states: None)


_watched: dict[str, Watched] = {}


class _Watch(ExecutionCallback):
    """Ray Data makes one for each execution and calls it in the thread that schedules; what it raises ends that."""

    def __init__(self) -> None:
        self._next = 0.0
        self._resizing: Resizing | None = None

    def on_execution_step(self, executor: Any) -> None:
        if time.monotonic() < self._next:
            return
        watched = _watched.get(executor._data_context.get_config(_KEY, ""))
        if watched is not None:
            topology = executor._topology
            self._resizing = self._resizing or Resizing(_pools(topology))
            try:
                nodes = alive_nodes()
                if watched.aside.look():
                    _keep_off(topology, watched.aside.selector())
                seen = _seen(watched.waits, watched.aside.left(nodes), topology)
            # Ray's tables cannot be read while its control service restarts, for instance.
            except Exception:
                seen = None
            if seen is not None:
                watched.show(seen.workers)
                self._resize(watched, nodes)
                watched.waits.look(seen)
        self._next = time.monotonic() + LOOK_S

    def _resize(self, watched: Watched, nodes: Sequence[Node]) -> None:
        assert self._resizing is not None
        watched.aside.require(watched.pools, nodes)
        usable = watched.aside.without([node for node in nodes if not node.draining])
        sizes = watched.sizes(usable)
        self._resizing.apply(sizes, {node.id for node in usable})
        watched.waits.resized(sizes)


def watch(context: DataContext, watched: Watched) -> str:
    """Have the executions of datasets made under `context` from now on looked at; return a key for `unwatch`."""
    key = uuid.uuid4().hex
    _watched[key] = watched
    context.set_config(_KEY, key)
    if _Watch not in context.custom_execution_callback_classes:
        context.custom_execution_callback_classes.append(_Watch)
    # Ray Data's own guard has one limit for units of all lengths.
    context.execution_no_progress_timeout_s = -1
    logging.getLogger("ray.data.exceptions").addFilter(_is_of_ray)
    return key


def unwatch(key: str) -> None:
    """Forget what `watch` began."""
    _watched.pop(key, None)


def _is_of_ray(_: logging.LogRecord) -> bool:
    """Return whether Ray Data logs an error that is not one of ours, which end an execution in one sentence."""
    # It would write a stack trace with the request to report a bug of Ray; it does so while it handles the error.
    return not isinstance(sys.exc_info()[1], UserError | JobFailed | Shrunk)


def _pools(topology: Any) -> list[Any]:
    return [pool for operator in topology for pool in operator.get_autoscaling_actor_pools()]


def _keep_off(topology: Any, selector: dict[str, str]) -> None:
    """Have workers that start from now on do so on nodes with these labels too."""
    for operator in topology:
        if operator.get_autoscaling_actor_pools():
            arguments = operator._ray_remote_args
            arguments["label_selector"] = {**arguments.get("label_selector", {}), **selector}


def _seen(waits: Waits, nodes: Sequence[Node], topology: Any) -> Look:
    progress = tuple(
        (op.metrics.num_outputs_taken, state.total_enqueued_input_blocks()) for op, state in topology.items()
    )
    return Look(worker_states(waits.pools), nodes, progress)
