"""Labels of one shard as a file of the run: the second half of a label pass, in this process or in a task."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from synfiqa.cluster.commits.shard_formats import encode
from synfiqa.cluster.storage.storage import Storage
from synfiqa.fiqa_train.labels.centred.centred_scale import centred_labels
from synfiqa.fiqa_train.labels.columns import unpack_names
from synfiqa.fiqa_train.labels.fusion import Components, Labels, apply, label_ranked
from synfiqa.fiqa_train.labels.ranks import Ranked
from synfiqa.fiqa_train.labels.severities import Severities
from synfiqa.schemas.calibration import Scale
from synfiqa.schemas.manifest import DataFile
from synfiqa.schemas.rows import LABELS


class LabelledRows(Protocol):
    """Degraded samples of a shard with all that their labels on a scale need."""

    def __len__(self) -> int:
        """Return the number of samples."""
        ...

    def labels(self, scale: Scale) -> Any:
        """Return the labels on a scale, with the number `clipped` of those outside of it."""
        ...

    def table(self, labels: Any) -> pa.Table:
        """Return the label rows (schema `LABELS`)."""
        ...


@dataclass(frozen=True)
class RowsToLabel:
    """Degraded samples of a shard: packed names, components, severities, and their ranks where the scale is theirs.

    `centred` are their cosines (N,) where the scale has a space.
    With ranks the three factors of the components are not used, and empty.
    """

    packed: bytes
    components: Components
    severities: Severities | None = None
    ranked: Ranked | None = None
    centred: np.ndarray | None = None

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.components.recognition)

    def labels(self, scale: Scale) -> Labels:
        """Return the labels on a scale."""
        if scale.centred is not None:
            assert self.centred is not None, "the reading of a centred label has cosines"
            return centred_labels(scale, self.components, self.centred, self.ranked)
        if self.ranked is None:
            return apply(scale, self.components, self.severities)
        own = self.components
        return label_ranked(scale, self.ranked, own.recognition, own.vision_language, self.severities)

    def table(self, labels: Labels) -> pa.Table:
        """Return the label rows (schema `LABELS`)."""
        columns = {name: values for name, values in vars(labels).items() if name != "clipped"}
        columns |= {name: getattr(self.components, name) for name in ("recognition", "vision_language")}
        names = unpack_names(self.packed)
        return pa.table({name: columns[name] if name in columns else names[name] for name in LABELS.names}, LABELS)


@dataclass(frozen=True)
class PartWriter:
    """Writes label parts of the labels `name` on a scale; `require_held` raises when the run was taken over."""

    storage: Storage
    name: str
    scale: Scale
    require_held: Callable[[], None]

    def __call__(self, shard: tuple[int, LabelledRows]) -> tuple[DataFile | None, int]:
        """Write the part of a shard, given by number and rows; return it (None without rows) and how many are clipped.

        The lease is looked at before the write.
        """
        number, rows = shard
        if not len(rows):
            return None, 0
        labels = rows.labels(self.scale)
        data = encode(rows.table(labels), "parquet", self._metadata(number))
        digest = hashlib.sha256(data).hexdigest()
        # Named by content, so that concurrent or repeated passes write the same file, and different passes other files.
        path = f"labels/{self.name}/shard-{number:06d}-{digest[:12]}.parquet"
        self.require_held()
        self.storage.write(path, data)
        return DataFile(path=path, sha256=digest, bytes=len(data), rows=len(rows)), labels.clipped

    def _metadata(self, number: int) -> dict[str, str]:
        made = {"kind": "labels", "name": self.name, "number": str(number)}
        if (scorer := self.scale.scorer) is not None:
            made |= {"scorer": scorer.name, "scorer_sha256": scorer.weights}
        if (space := self.scale.centred) is not None:
            made |= {"embedder": space.embedder, "embedder_sha256": space.weights}
        return made
