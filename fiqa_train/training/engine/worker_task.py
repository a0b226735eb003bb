"""Inputs of a worker of a training."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from synfiqa.actors.model_store.catalogue import Model
from synfiqa.cluster.run.lease import Claim
from synfiqa.fiqa_train.training.dsl.portrait_set import PortraitData
from synfiqa.fiqa_train.training.reading.decode import face_shape
from synfiqa.fiqa_train.training.reading.faces import Pieces
from synfiqa.fiqa_train.training.reading.sources.source import Source
from synfiqa.schemas.config.train_config import TrainSection

HELD_OUT_ROWS = 4096
"""Largest number of validation faces scored at a validation."""
Scores = Callable[[np.ndarray], np.ndarray]
"""Scores (N,) of uint8 RGB faces (N, 112, 112, 3)."""
Measure = Callable[[Scores], Mapping[str, float]]
"""Measures the network of the moment by its scores, such as its pAUC on a test set; values by name."""


class WatchedSet(Protocol):
    """A test set that a training is measured on while it runs."""

    @property
    def name(self) -> str:
        """Return its name in the metrics."""

    @property
    def sha256(self) -> str:
        """Return the digest of all that its figures depend on."""

    def open(self) -> Measure:
        """Read the set, on the worker that measures, and return what measures a network on it."""


class TeacherSource(Protocol):
    """A teacher that workers build."""

    def scaled(self, images: np.ndarray) -> Scores:
        """Return scores on 0..1; `images` (N, 112, 112, 3) uint8 RGB set the scale where a teacher has none."""


@dataclass(frozen=True)
class TrainTask:
    """Inputs of one worker of a training.

    `held_out_source` holds the labelled samples of validation identities, None where `portraits` has them;
    `identities` counts them by split; `initial` is the embedder that the network starts from, None for random weights;
    `claim` is the driver's hold on the run, None without a lease; `wait_s` bounds the wait for workers.
    """

    url: str
    sources: Sequence[Source]
    held_out_source: Source | None
    identities: dict[str, int]
    rows: int
    section: TrainSection
    initial: Model | None
    seed: int
    card: dict[str, Any]
    threads: int = 1
    claim: Claim | None = None
    wait_s: float = 3600.0
    teacher: TeacherSource | None = None
    watched: tuple[WatchedSet, ...] = ()
    portraits: PortraitData | None = None

    def require_held(self) -> None:
        """Raise RunHeld when another driver has taken the run over."""
        if self.claim is not None:
            self.claim.check()

    def held_out(self) -> tuple[np.ndarray, np.ndarray]:
        """Return uint8 RGB faces (N, 112, 112, 3) of validation identities, at most HELD_OUT_ROWS, and their labels."""
        assert self.held_out_source is not None, "portraits are validated by another function"
        source = Pieces([self.held_out_source])
        count = min(HELD_OUT_ROWS, int(source.rows.sum()))
        images, quality = np.zeros((count, *face_shape("rgb")), np.uint8), np.zeros(count, np.float32)
        first = 0
        for number in range(len(source)):
            piece = source.read(number)
            rows = min(len(piece.rows), count - first)
            for row in range(rows):
                images[first + row] = piece.decoded(row, "rgb")
            quality[first : first + rows] = piece.rows.quality[:rows]
            first += rows
            if first == count:
                break
        return images, quality
