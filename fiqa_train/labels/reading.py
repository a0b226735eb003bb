"""What a label pass reads of a shard: by its config, and by what the run has measured."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, Self

import numpy as np
import pyarrow as pa

from synfiqa.cluster.commits.column_reads import in_order
from synfiqa.fiqa_train.labels.columns import ShardRows, columns, shard_rows
from synfiqa.fiqa_train.labels.label_rows import LabelRows
from synfiqa.fiqa_train.labels.scales.frozen_scale import Measured
from synfiqa.fiqa_train.labels.severities import severity_names
from synfiqa.fiqa_train.labels.shard_labels import LabelledRows
from synfiqa.schemas.calibration import Scale
from synfiqa.schemas.config.learn import LabelSection
from synfiqa.schemas.factors.factor import Factor
from synfiqa.schemas.factors.plugin_rows import plugged_rows
from synfiqa.schemas.manifest import Commit, RunManifest

READS_AT_ONCE = 16
"""Shards that a task reads at once: requests for a few columns mostly wait."""


class RunRows(Protocol):
    """Degraded samples of a whole run, added shard by shard, and the scale fitted to them."""

    def __len__(self) -> int:
        """Return the number of rows so far."""
        ...

    def add(self, shard: Any) -> None:
        """Append the rows of the next shard."""
        ...

    def require_valid(self) -> None:
        """Raise JobFailed when there are no rows, a name occurs twice, or a row cannot be labelled."""
        ...

    def fit(self, section: LabelSection, threshold: float | None) -> Scale:
        """Return the scale of the labels of all rows; JobFailed without one."""
        ...

    def shard(self, index: int) -> LabelledRows:
        """Return the rows of the shard that was added as number `index`."""
        ...


class ShardReading(Protocol):
    """What a label pass takes from a shard: columns, and rows made of them.

    A task reads `at_once` shards side by side; in this process `here` maps over them.
    """

    at_once: ClassVar[int]
    here: Callable[..., Any]

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the columns of a shard that are needed."""
        ...

    def stored(self, samples: pa.Table) -> dict[str, list[float]]:
        """Return what a label row repeats of degraded samples, by name."""
        ...

    def shard(self, samples: pa.Table, commit: Commit, wanted: np.ndarray | None = None) -> Any:
        """Return the degraded rows of a shard to label, or those of them for which `wanted`, bool (N,), holds."""
        ...

    def rows(self, capacity: int) -> RunRows:
        """Return room for so many rows."""
        ...


@dataclass(frozen=True)
class Reading:
    """Embedder of f_r (empty for the run's own), whether s_d is made of costs, and then the factors of plug-ins."""

    embedder: str
    costs: bool
    factors: tuple[str, ...]
    at_once: ClassVar[int] = READS_AT_ONCE
    here = staticmethod(in_order)

    @classmethod
    def of(cls, section: LabelSection, measured: Measured, manifest: RunManifest) -> Self:
        """Return what labels of this section take from a run."""
        costs = section.spatial == "costs"
        # Empty for the run's own embedder, whose cosines have a column of their own.
        own = measured.embedder == manifest.recipe["models"]["embedder"]
        return cls("" if own else measured.embedder, costs, measured.factors if costs else ())

    @property
    def plugged(self) -> tuple[Factor, ...]:
        """Return the rows of the factors of plug-ins, which do not travel to tasks."""
        return plugged_rows(self.factors)

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the columns of a shard that are needed."""
        return columns(self.embedder, self.costs, self.plugged)

    def stored(self, samples: pa.Table) -> dict[str, list[float]]:
        """Return what a label row repeats of degraded samples, by name: f_r of the embedder, and v_l."""
        components = shard_rows(samples, self.embedder).components
        return {name: getattr(components, name).tolist() for name in ("recognition", "vision_language")}

    def shard(self, samples: pa.Table, commit: Commit, wanted: np.ndarray | None = None) -> ShardRows:
        """Return the rows of a shard to label."""
        return shard_rows(samples, self.embedder, self.costs, self.plugged, wanted)

    def rows(self, capacity: int) -> RunRows:
        """Return room for so many rows to label."""
        return LabelRows(capacity, severity_names(self.plugged) if self.costs else ())
