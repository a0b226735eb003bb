"""Scores of the degraded samples of a shard and of a whole run, and the labels made of them."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa
from scipy.special import expit

from synfiqa.fiqa_train.labels.by_scorer.named_scorer import NamedScorer
from synfiqa.fiqa_train.labels.columns import (
    ShardNames,
    degraded_rows,
    face_images,
    repeated_in,
    shard_names,
    unpack_names,
)
from synfiqa.fiqa_train.labels.label_rows import require_valid
from synfiqa.fiqa_train.labels.ranks import GROUPS, decile_of, rank_table
from synfiqa.fiqa_train.labels.reading import RunRows
from synfiqa.schemas.calibration import RankTable, Scale
from synfiqa.schemas.config.learn import LabelSection
from synfiqa.schemas.errors import JobFailed
from synfiqa.schemas.manifest import Commit
from synfiqa.schemas.rows import LABELS

COLUMNS = ("sample_id", "identity", "kind", "recognition", "vision_language", "image")
"""Columns of a shard that labels by a scorer need."""
_STORED = ("recognition", "vision_language")
"""Components that a label row repeats as the samples hold them."""


@dataclass(frozen=True)
class ScoredLabels:
    """Labels of N samples: score, quality in 0..1 and decile group; `clipped` scores lie outside of the scale."""

    raw: np.ndarray
    quality: np.ndarray
    group: np.ndarray
    clipped: int


@dataclass(frozen=True)
class ScoredRows:
    """Scores float64 (N,) of the degraded samples of a shard, in order, their names, and their stored components."""

    scores: np.ndarray
    names: ShardNames
    stored: pa.Table

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.scores)

    def labels(self, scale: Scale) -> ScoredLabels:
        """Return the labels on a scale with a scorer: by the logistic scale of its card, else by ranks."""
        scorer = scale.scorer
        if scorer is None:
            raise ValueError("a scale of fused labels has no scorer")
        ranks = np.interp(self.scores, scale.raw.values, scale.raw.ranks)
        if scorer.midpoint is None or scorer.width is None:
            quality = (ranks - 0.5) / scale.samples
        else:
            quality = expit((self.scores - scorer.midpoint) / scorer.width)
        outside = int(np.count_nonzero((self.scores < scale.raw_min) | (self.scores > scale.raw_max)))
        groups = np.array([f"Q{index}" for index in range(GROUPS)])[decile_of(ranks, scale.samples)]
        return ScoredLabels(self.scores, quality, groups, outside)

    def table(self, labels: ScoredLabels) -> pa.Table:
        """Return the label rows (schema `LABELS`); what only a fusion has is null."""
        names = unpack_names(self.names.packed)
        columns = {"raw": labels.raw, "quality": labels.quality, "group": labels.group}
        columns |= {name: self.stored[name] for name in _STORED} | {name: names[name] for name in names.column_names}
        return pa.table(
            {field.name: columns.get(field.name, pa.nulls(len(self), field.type)) for field in LABELS}, LABELS
        )


class ScoredRun:
    """Rows of the shards in the order in which they are added."""

    def __init__(self, scorer: NamedScorer) -> None:
        self._scorer = scorer
        self._shards: list[ScoredRows] = []

    def __len__(self) -> int:
        """Return the number of degraded rows so far."""
        return sum(len(shard) for shard in self._shards)

    def add(self, shard: ScoredRows) -> None:
        """Append the rows of the next shard."""
        self._shards.append(shard)

    def require_valid(self) -> None:
        """Raise JobFailed when there are no rows, or a name occurs twice."""
        hashes = np.concatenate([np.empty(0, np.uint64), *(shard.names.hashes for shard in self._shards)])
        values, counts = np.unique(hashes, return_counts=True)
        suspects = values[counts > 1]
        packed = [shard.names.packed for shard in self._shards]
        require_valid(len(self), repeated_in(packed, suspects) if len(suspects) else None, 0, "")

    def fit(self, section: LabelSection, threshold: float | None) -> Scale:
        """Return the scale of all scores; JobFailed where all are equal. Section and threshold do not count."""
        scores = np.sort(np.concatenate([shard.scores for shard in self._shards]))
        if scores[0] == scores[-1]:
            raise JobFailed(
                f"labels cannot be scaled: scorer '{self._scorer.name}' gives all {len(scores)} samples the score "
                f"{scores[0]:g}; choose another label.scorer, or generate more samples"
            )
        none = RankTable(values=[], ranks=[])
        return Scale(
            samples=len(scores),
            spatial_weight=0.0,
            vision_language_weight=0.0,
            scorer=self._scorer.scale,
            yaw=none,
            downsample=none,
            blur=none,
            raw=rank_table(scores),
            raw_min=float(scores[0]),
            raw_max=float(scores[-1]),
        )

    def shard(self, index: int) -> ScoredRows:
        """Return the rows of the shard that was added as number `index`."""
        return self._shards[index]


@dataclass(frozen=True)
class ScoreReading:
    """What labels by a scorer take from a shard: the images of its degraded samples."""

    scorer: NamedScorer
    at_once: ClassVar[int] = 1
    here = staticmethod(map)

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the columns of a shard that are needed."""
        return COLUMNS

    def stored(self, samples: pa.Table) -> dict[str, list[float]]:
        """Return what a label row repeats of degraded samples, by name."""
        return {name: samples[name].to_pylist() for name in _STORED}

    def shard(self, samples: pa.Table, commit: Commit, wanted: np.ndarray | None = None) -> ScoredRows:
        """Return the scores of the degraded samples of a shard; JobFailed for a sample without an image."""
        rows = degraded_rows(samples, wanted)
        scores = self.scorer.scores(face_images(rows))
        return ScoredRows(scores, shard_names(rows), rows.select(_STORED).combine_chunks())

    def rows(self, capacity: int) -> RunRows:
        """Return room for the rows of a run."""
        return ScoredRun(self.scorer)
