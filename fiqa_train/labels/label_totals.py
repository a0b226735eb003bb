"""Counts and distribution of all labels of a run, summed shard by shard: memory does not grow with the run."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

_BINS, _FINE = 50, 2**16


@dataclass
class GroupTotals:
    """Exact number, least and largest label of one decile group."""

    count: int = 0
    low: float = np.inf
    high: float = -np.inf


class LabelTotals:
    """Exact histogram and groups of the labels of all shards added; deciles to 1 / 65,536."""

    def __init__(self) -> None:
        self.bins = np.zeros(_BINS, np.int64)
        self.groups: dict[str, GroupTotals] = {}
        self._fine = np.zeros(_FINE, np.int64)

    def add(self, labels: pa.Table) -> None:
        """Count the labels of one shard (columns quality and group of schema `LABELS`)."""
        quality = labels["quality"].to_numpy()
        self.bins += np.histogram(quality, _BINS, (0, 1))[0]
        self._fine += np.histogram(quality, _FINE, (0, 1))[0]
        found = labels.group_by("group").aggregate([("quality", "count"), ("quality", "min"), ("quality", "max")])
        columns = (found[name].to_pylist() for name in ("group", "quality_count", "quality_min", "quality_max"))
        for name, count, low, high in zip(*columns, strict=True):
            group = self.groups.setdefault(str(name), GroupTotals())
            group.count += count
            group.low, group.high = min(group.low, low), max(group.high, high)

    @property
    def count(self) -> int:
        """Number of labels."""
        return int(self.bins.sum())

    def deciles(self) -> np.ndarray:
        """Return the nine deciles, float64 (9,); none without labels."""
        if not self.count:
            return np.empty(0)
        ranks = np.arange(1, 10) / 10 * self.count
        return (np.searchsorted(np.cumsum(self._fine), ranks) + 0.5) / _FINE
