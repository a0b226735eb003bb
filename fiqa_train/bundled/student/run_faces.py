"""Faces of a run with the vectors of a teacher, and the people that a student does not see."""

from dataclasses import dataclass

import numpy as np

from synfiqa.actors.model_store.catalogue import Model
from synfiqa.cluster.commits.shard_store import ShardStore
from synfiqa.cluster.run.manifest import load_run
from synfiqa.cluster.storage.storage import Storage
from synfiqa.fiqa_train.labels.centred.shard_vectors import ShardVectors
from synfiqa.fiqa_train.labels.columns import face_images
from synfiqa.fiqa_train.training.splits import split_identities
from synfiqa.schemas.errors import UserError

HELD_OUT = (0.03, 0.05)
"""Shares of people for validation and test; a student trains on neither, as a quality model of the run does not."""


@dataclass(frozen=True)
class RunFaces:
    """Aligned crops uint8 RGB (N, 112, 112, 3) of a run and the teacher's unit vectors float32 (N, D) of them.

    `identity` int (N,); `reference` bool (N,), the other rows are degraded samples.
    """

    crops: np.ndarray
    vectors: np.ndarray
    identity: np.ndarray
    reference: np.ndarray

    def select(self, mask: np.ndarray) -> "RunFaces":
        """Return the rows where the boolean mask (N,) holds."""
        return RunFaces(self.crops[mask], self.vectors[mask], self.identity[mask], self.reference[mask])


def faces_of_run(storage: Storage, teacher: Model) -> RunFaces:
    """Return all faces of a run in the order of its shards, with the vectors that a centred label pass has stored.

    Vectors that are not in the run are computed and stored there. UserError when the run has no samples, JobFailed for
    one without an image.
    """
    store = ShardStore(storage, load_run(storage).fingerprint)
    vectors = ShardVectors(store, teacher, before_write=lambda: None)
    parts = []
    for commit in store.committed("samples").values():
        rows = store.read(commit, ("sample_id", "identity", "kind", "image"))
        reference = np.array(rows["kind"].to_pylist()) == "reference"
        parts.append((face_images(rows), vectors.of(commit), rows["identity"].to_numpy(), reference))
    if not parts:
        raise UserError(f"{storage.url} has no samples: generate the run first")
    return RunFaces(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def seen_and_held_out(faces: RunFaces, seed: int) -> tuple[RunFaces, RunFaces]:
    """Return the faces of the people to train on and those of the others; UserError with fewer than three people."""
    splits = split_identities(faces.identity.tolist(), *HELD_OUT, seed)
    train = np.array([splits[number] == "train" for number in faces.identity.tolist()])
    return faces.select(train), faces.select(~train)
