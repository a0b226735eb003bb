"""Records metrics by Ray, whose agent on each node exports them for Prometheus; without Ray nothing happens."""

import logging
import sys
import threading
from collections.abc import Mapping
from typing import Any

from synfiqa.cluster.telemetry.metric_table import METRICS, bounded

_log = logging.getLogger(__name__)
_instruments: dict[str, Any] = {}
_lock = threading.Lock()


def add(name: str, amount: float, **labels: str) -> None:
    """Add to a counter of the table; nothing for 0. ValueError for labels that it does not have."""
    if amount > 0:
        _send(name, float(amount), _checked(name, "counter", labels))


def put(name: str, value: float, **labels: str) -> None:
    """Set a gauge of the table. ValueError for labels that it does not have."""
    _send(name, float(value), _checked(name, "gauge", labels))


def observe(name: str, value: float, **labels: str) -> None:
    """Count a value in the histogram of the table. ValueError for labels that it does not have."""
    _send(name, float(value), _checked(name, "histogram", labels))


def _checked(name: str, kind: str, labels: Mapping[str, str]) -> dict[str, str]:
    definition = METRICS[name]
    if definition.kind != kind or labels.keys() != set(definition.labels):
        raise ValueError(f"{name} is a {definition.kind} with the labels {', '.join(definition.labels)}")
    return {label: bounded(label, value) for label, value in labels.items()}


def _send(name: str, value: float, labels: dict[str, str]) -> None:
    # A process that has not imported Ray has not joined it, and importing it takes a second.
    ray = sys.modules.get("ray")
    try:
        if ray is None or not ray.is_initialized():
            return
        instrument = _instruments.get(name) or _made(name)
        kind = METRICS[name].kind
        if kind == "counter":
            instrument.inc(value, labels)
        elif kind == "gauge":
            instrument.set(value, labels)
        else:
            instrument.observe(value, labels)
    # What is measured must not fail for want of a measurement.
    except Exception as error:
        _log.debug("%s is not recorded (%s: %s)", name, type(error).__name__, error)


def _made(name: str) -> Any:
    from ray.util.metrics import Counter, Gauge, Histogram

    with _lock:
        if name not in _instruments:
            definition = METRICS[name]
            common: dict[str, Any] = {"description": definition.meaning, "tag_keys": definition.labels}
            if definition.kind == "histogram":
                _instruments[name] = Histogram(name, boundaries=list(definition.buckets), **common)
            else:
                _instruments[name] = {"counter": Counter, "gauge": Gauge}[definition.kind](name, **common)
        return _instruments[name]
