"""Looks at a Ray Data execution while it runs, from its own scheduling loop, and ends it with one sentence."""

import time
import uuid
from typing import Any

from ray.data import DataContext
from ray.data._internal.execution.execution_callback import ExecutionCallback

from synfiqa.cluster.pipeline.waits import Look, Waits
from synfiqa.cluster.ray_cluster.nodes import alive_nodes
from synfiqa.cluster.ray_cluster.worker_states import worker_states

LOOK_S = 5.0
"""Seconds between two looks."""

_KEY = "synfiqa_waits"
_waits: dict[str, Waits] = {}


class _Watch(ExecutionCallback):
    """Ray Data makes one for each execution and calls it in the thread that schedules; what it raises ends that."""

    def __init__(self) -> None:
        self._next = time.monotonic() + LOOK_S

    def on_execution_step(self, executor: Any) -> None:
        if time.monotonic() < self._next:
            return
        waits = _waits.get(executor._data_context.get_config(_KEY, ""))
        if waits is not None:
            try:
                seen = _seen(waits, executor._topology)
            # Ray's tables cannot be read while its control service restarts, for instance.
            except Exception:
                seen = None
            if seen is not None:
                waits.look(seen)
        self._next = time.monotonic() + LOOK_S


def watch(context: DataContext, waits: Waits) -> str:
    """Have the executions of datasets made under `context` from now on looked at; return a key for `unwatch`."""
    key = uuid.uuid4().hex
    _waits[key] = waits
    context.set_config(_KEY, key)
    if _Watch not in context.custom_execution_callback_classes:
        context.custom_execution_callback_classes.append(_Watch)
    # Ray Data's own guard has one limit for units of all lengths.
    context.execution_no_progress_timeout_s = -1
    return key


def unwatch(key: str) -> None:
    """Forget what `watch` began."""
    _waits.pop(key, None)


def _seen(waits: Waits, topology: Any) -> Look:
    progress = tuple(
        (op.metrics.num_outputs_taken, state.total_enqueued_input_blocks()) for op, state in topology.items()
    )
    return Look(worker_states(waits.pools), alive_nodes(), progress)
