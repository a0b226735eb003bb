"""What a label pass of form centred takes from a shard: vectors of all its faces, and the components beside them."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pyarrow as pa

from synfiqa.fiqa_train.labels.centred.cosines import centred, centred_cosines, relative_cosines
from synfiqa.fiqa_train.labels.centred.fault_free import fault_free
from synfiqa.fiqa_train.labels.centred.shard_vectors import ShardVectors
from synfiqa.fiqa_train.labels.columns import ShardRows, columns, shard_rows
from synfiqa.fiqa_train.labels.label_rows import LabelRows
from synfiqa.fiqa_train.labels.reading import RunRows
from synfiqa.fiqa_train.labels.severities import flat_columns, severities
from synfiqa.schemas.calibration import CentredSpace
from synfiqa.schemas.factors.factor import Factor
from synfiqa.schemas.factors.plugin_rows import plugged_rows
from synfiqa.schemas.manifest import Commit

_STORED = ("recognition", "vision_language")


@dataclass(frozen=True)
class CentredReading:
    """Vectors of the shards, the space of the labels, and the names of the factors of plug-ins."""

    vectors: ShardVectors
    space: CentredSpace
    factors: tuple[str, ...]
    at_once: ClassVar[int] = 1
    here = staticmethod(map)

    @property
    def plugged(self) -> tuple[Factor, ...]:
        """Return the rows of the factors of plug-ins, which do not travel to tasks."""
        return plugged_rows(self.factors)

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the columns of a shard that are needed: severities decide which pictures are fault-free."""
        return columns(costs=True, plugged=self.plugged)

    def stored(self, samples: pa.Table) -> dict[str, list[float]]:
        """Return what a label row repeats of degraded samples, by name."""
        return {name: samples[name].to_pylist() for name in _STORED}

    def shard(self, samples: pa.Table, commit: Commit, wanted: np.ndarray | None = None) -> ShardRows:
        """Return the degraded rows of a shard with their centred cosines, or those of them that are `wanted`."""
        kind = np.array(samples["kind"].to_pylist())
        reference, degraded = kind == "reference", kind == "degraded"
        free = fault_free(severities(flat_columns(samples, self.plugged), self.plugged))
        units = centred(self.vectors.of(commit), np.array(self.space.mean))
        identity, target = samples["identity"].to_numpy(), reference | (degraded & free)
        cosines = centred_cosines(units, identity, target)
        if self.space.relative:
            cosines = relative_cosines(cosines, identity, target)
        own = cosines[degraded]
        return replace(
            shard_rows(samples, wanted=wanted),
            centred=own if wanted is None else own[wanted],
            references=cosines[reference],
        )

    def rows(self, capacity: int) -> RunRows:
        """Return room for so many rows to label."""
        return LabelRows(capacity, space=self.space)
