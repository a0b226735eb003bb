"""Degraded samples of a whole run as flat columns, as the driver of a label pass keeps them in memory.

Some thirty bytes a row, and four more for each severity where s_d is made of costs.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from synfiqa.fiqa_train.labels.centred.centred_scale import fit_centred
from synfiqa.fiqa_train.labels.columns import MEASURED, ShardRows, repeated_in
from synfiqa.fiqa_train.labels.fusion import Components, fit_scale
from synfiqa.fiqa_train.labels.ranks import BLOCK, Ranked
from synfiqa.fiqa_train.labels.severities import Severities
from synfiqa.fiqa_train.labels.shard_labels import RowsToLabel
from synfiqa.schemas.calibration import CentredSpace, Scale
from synfiqa.schemas.config.learn import LabelSection
from synfiqa.schemas.errors import JobFailed


class LabelRows:
    """Rows of the shards in the order in which they are added; float32 as stored, without rounding.

    `capacity` bounds their number; memory grows with the rows added. `factors` names the severities that are kept.
    With a `space` the labels are centred cosines, four bytes a row and reference.
    """

    def __init__(self, capacity: int, factors: Sequence[str] = (), space: CentredSpace | None = None) -> None:
        self._space, self._references = space, [np.empty(0, np.float32)]
        self._centred = np.empty(0 if space is None else capacity, np.float32)
        self._columns = {name: np.empty(capacity, np.float32) for name in MEASURED}
        self._severities = {name: np.empty(capacity, np.float32) for name in factors}
        self._hashes = np.empty(capacity, np.uint64)
        self._packed: list[bytes] = []
        self._starts = [0]
        self._bad, self._first_bad = 0, ""
        self._ranked: Ranked | None = None

    def __len__(self) -> int:
        """Number of degraded rows so far."""
        return self._starts[-1]

    def add(self, shard: ShardRows) -> None:
        """Append the rows of the next shard."""
        own = slice(len(self), len(self) + len(shard))
        for name, column in vars(shard.components).items():
            self._columns[name][own] = column
        for name, kept in self._severities.items():
            kept[own] = shard.severities[name]
        if shard.centred is not None:
            self._centred[own] = shard.centred
            self._references.append(shard.references)
        self._hashes[own] = shard.hashes
        self._packed.append(shard.packed)
        self._starts.append(own.stop)
        if len(shard.bad):
            self._first_bad = self._first_bad or shard.describe_bad()
            self._bad += len(shard.bad)

    def components(self) -> Components:
        """Return views of the components of all rows, with the magnitude of the yaw."""
        return Components(**{name: values[: len(self)] for name, values in self._columns.items()})

    def severities(self) -> Severities | None:
        """Return views of the severities of all rows; None where they are not kept."""
        return _cut(self._severities, slice(len(self)))

    def require_valid(self) -> None:
        """Raise JobFailed when there are no rows, a name occurs twice, or a row has no valid components.

        To be called once, when all rows are added: the hashes of the names are given up.
        """
        require_valid(len(self), self._repeated_id(), self._bad, self._first_bad)

    def fit(self, section: LabelSection, threshold: float | None) -> Scale:
        """Return the scale fitted to all rows, whose factors are replaced by their ranks; JobFailed without a scale."""
        try:
            if self._space is not None:
                references = np.concatenate(self._references)
                scale, self._ranked = fit_centred(
                    self.components(), self._centred[: len(self)], references, self._space
                )
                return scale
            scale, self._ranked = fit_scale(
                self.components(),
                section.spatial_weight,
                section.vision_language_weight,
                self.severities(),
                threshold,
                section.match_width,
                section.ends,
            )
        except ValueError as error:
            raise JobFailed(f"labels cannot be scaled: {error}; generate more samples") from error
        return scale

    def shard(self, index: int) -> RowsToLabel:
        """Return the rows of the shard that was added as number `index`: with ranks once a scale is fitted to them."""
        own = slice(self._starts[index], self._starts[index + 1])
        columns = {name: values[own] for name, values in self._columns.items()}
        ranked = None
        if self._ranked is not None:
            ranked = self._ranked.cut(own)
            columns |= dict.fromkeys(("yaw", "downsample", "blur"), np.empty(0, np.float32))
        centred = None if self._space is None else self._centred[own]
        return RowsToLabel(self._packed[index], Components(**columns), _cut(self._severities, own), ranked, centred)

    def _repeated_id(self) -> str | None:
        hashes = self._hashes[: len(self)]
        self._hashes = np.empty(0, np.uint64)
        hashes.sort()
        # Of neighbouring blocks the last and the first hash are compared too.
        blocks = (hashes[start : start + BLOCK + 1] for start in range(0, len(hashes), BLOCK))
        suspects = np.concatenate([hashes[:0], *(block[1:][block[1:] == block[:-1]] for block in blocks)])
        return repeated_in(self._packed, suspects) if len(suspects) else None


def require_valid(count: int, repeated: str | None, bad: int, first_bad: str) -> None:
    """Raise JobFailed when there are no samples, a name occurs twice, or a sample has no valid components."""
    if not count:
        raise JobFailed("there are no degraded samples to label; generate some first")
    if repeated is not None:
        raise JobFailed(
            f"two committed samples share one sample_id ({repeated}); "
            "the dataset is damaged, generate it in a new folder"
        )
    if bad:
        raise JobFailed(
            f"{first_bad}; {bad} such samples): components must be finite and vision_language below 1, so check the "
            "models that measured them"
        )


def _cut(severities: Mapping[str, np.ndarray], rows: slice) -> Severities | None:
    return {name: values[rows] for name, values in severities.items()} or None
