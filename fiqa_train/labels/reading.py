"""What a label pass reads of a shard: by its config, and by what the run has measured."""

from dataclasses import dataclass
from typing import Self

from synfiqa.fiqa_train.labels.columns import LabelRows, columns
from synfiqa.fiqa_train.labels.frozen_scale import Measured
from synfiqa.schemas.config.learn import LabelSection
from synfiqa.schemas.factors.factor import Factor
from synfiqa.schemas.factors.plugin_rows import plugged_rows
from synfiqa.schemas.manifest import RunManifest


@dataclass(frozen=True)
class Reading:
    """Embedder of f_r (empty for the run's own), whether s_d is made of costs, and then the rows of plug-ins."""

    embedder: str
    costs: bool
    plugged: tuple[Factor, ...]

    @classmethod
    def of(cls, section: LabelSection, measured: Measured, manifest: RunManifest) -> Self:
        """Return what labels of this section take from a run."""
        costs = section.spatial == "costs"
        # Empty for the run's own embedder, whose cosines have a column of their own.
        own = measured.embedder == manifest.recipe["models"]["embedder"]
        return cls("" if own else measured.embedder, costs, plugged_rows(measured.factors) if costs else ())

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the columns of a shard that are needed."""
        return columns(self.embedder, self.costs, self.plugged)

    def rows(self, capacity: int) -> LabelRows:
        """Return room for so many rows to label."""
        return LabelRows(capacity, self.embedder, self.costs, self.plugged)
