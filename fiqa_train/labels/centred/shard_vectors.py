"""Vectors of the samples of a shard by the labelling embedder, computed once and stored in the run."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from synfiqa.actors.model_store.architectures.extras import require_extra
from synfiqa.actors.model_store.cache import digest_of, locate
from synfiqa.actors.model_store.catalogue import Model
from synfiqa.actors.model_store.resolved_run import ResolvedRun
from synfiqa.actors.model_store.selection import catalogue_of, require_commercial
from synfiqa.actors.players import player
from synfiqa.actors.recognition.stored_vectors import vectors_of_file
from synfiqa.cluster.commits.shard_store import ShardStore
from synfiqa.fiqa_train.labels.centred.cosines import reference_sums
from synfiqa.fiqa_train.labels.columns import face_images
from synfiqa.schemas.calibration import CentredSpace
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.manifest import Commit

BATCH = 32
"""Faces that are decoded and embedded at once."""


def labelling_embedder(config: RunConfig, embedder: str, resolved: ResolvedRun | None) -> Model | None:
    """Return the embedder of a centred label, None for another form; UserError for a name or licence that is refused.

    No weights are read.
    """
    if config.label.form == "fusion":
        return None
    model = (resolved.catalogue if resolved else catalogue_of(config.models)).model(embedder, "embedder")
    if config.models.require_commercial:
        require_commercial([model])
    return model


def require_embedder(model: Model) -> None:
    """Raise UserError where the extra of an embedder is not installed, or its weights are missing or others."""
    require_extra(model.card)
    locate(model)


def require_weights(model: Model, space: CentredSpace, shown: str) -> None:
    """Raise UserError where a frozen scale, named by `shown`, was fitted with another embedder or other weights."""
    ours, theirs = (model.name, digest_of(model)), (space.embedder, space.weights)
    if ours != theirs:
        texts = " and ".join(f"{name} ({digest[:12]})" for name, digest in (theirs, ours))
        raise UserError(
            f"{shown} was fitted to vectors of another embedder than label.embedder ({texts}): vectors of two networks "
            "are in no common space, so name the embedder of the calibration or fit a new one"
        )


def space_of(model: Model, mean: list[float], references: int, *, relative: bool) -> CentredSpace:
    """Return the space of a run, its embedder and the mean of so many reference vectors; `relative` as in the space."""
    card = model.card
    return CentredSpace(
        embedder=model.name,
        weights=digest_of(model),
        licence=card.licence,
        commercial_use=card.commercial_use,
        relative=relative,
        references=references,
        mean=mean,
    )


@dataclass(frozen=True)
class ShardVectors:
    """Vectors of the shards of a run by one embedder; `before_write` raises where the run was taken over."""

    store: ShardStore
    model: Model
    before_write: Callable[[], None]

    def of(self, commit: Commit) -> np.ndarray:
        """Return unit vectors float32 (N, D) of all N rows of a shard, in order; JobFailed for a row without an image.

        Those in the run are read, others are computed and stored beside the shards.
        """
        digest, file = digest_of(self.model), commit.file
        return vectors_of_file(
            self.store.storage,
            self.model,
            digest,
            file.sha256,
            file.rows,
            lambda: self._embedded(commit),
            self.before_write,
        )

    def sums(self, commit: Commit) -> tuple[np.ndarray, int]:
        """Return `reference_sums` of a shard."""
        vectors = self.of(commit)
        rows = self.store.read_columns(commit, ("identity", "kind"))
        reference = np.array(rows["kind"].to_pylist()) == "reference"
        return reference_sums(vectors, rows["identity"].to_numpy(), reference)

    def _embedded(self, commit: Commit) -> np.ndarray:
        rows = self.store.read(commit, ("sample_id", "image"))
        embedder = player(self.model)
        batches = (face_images(rows.slice(start, BATCH)) for start in range(0, max(rows.num_rows, 1), BATCH))
        vectors: np.ndarray = np.concatenate([embedder.embed(images) for images in batches])
        return vectors
