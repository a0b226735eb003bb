"""What a label pass reads of a shard: by its config, and by what the run has measured."""

from dataclasses import dataclass
from typing import Self

import pyarrow as pa

from synfiqa.fiqa_train.labels.columns import ShardRows, columns, shard_rows
from synfiqa.fiqa_train.labels.frozen_scale import Measured
from synfiqa.fiqa_train.labels.label_rows import LabelRows
from synfiqa.fiqa_train.labels.severities import severity_names
from synfiqa.schemas.config.learn import LabelSection
from synfiqa.schemas.factors.factor import Factor
from synfiqa.schemas.factors.plugin_rows import plugged_rows
from synfiqa.schemas.manifest import RunManifest


@dataclass(frozen=True)
class Reading:
    """Embedder of f_r (empty for the run's own), whether s_d is made of costs, and then the factors of plug-ins."""

    embedder: str
    costs: bool
    factors: tuple[str, ...]

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

    def shard(self, samples: pa.Table) -> ShardRows:
        """Return the rows of a shard to label."""
        return shard_rows(samples, self.embedder, self.costs, self.plugged)

    def rows(self, capacity: int) -> LabelRows:
        """Return room for so many rows to label."""
        return LabelRows(capacity, severity_names(self.plugged) if self.costs else ())
