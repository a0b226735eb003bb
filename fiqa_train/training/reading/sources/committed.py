"""Labelled samples of a run: committed shards joined with their labels by sample id."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from synfiqa.cluster.commits.shard_store import ShardStore
from synfiqa.cluster.storage.storage import Storage
from synfiqa.fiqa_train.labels.parts import LabelledShard, labelled_identities, read_part
from synfiqa.fiqa_train.training.reading.sources.source import EncodedRows, Piece, StoredPieces, first_repeated
from synfiqa.schemas.errors import JobFailed


@dataclass(frozen=True)
class CommittedShards(StoredPieces):
    """Degraded samples of some identities of a run; a piece is a shard with one part of its labels.

    `identities` counts the labels of each identity that is trained on.
    """

    @classmethod
    def of(
        cls,
        storage: Storage,
        shards: Sequence[LabelledShard],
        identities: frozenset[int],
        labelled: Sequence[tuple[np.ndarray, np.ndarray]] | None = None,
        name: str = "run",
        weight: float = 1.0,
    ) -> "CommittedShards":
        """Count the labels of these identities; `labelled` are those of `labelled_identities`, where known already."""
        totals: dict[int, int] = {}
        pieces = []
        labelled = labelled_identities(storage, shards) if labelled is None else labelled
        for shard, (own, counts) in zip(shards, labelled, strict=True):
            chosen = [(identity, count) for identity, count in zip(own.tolist(), counts.tolist(), strict=True)]
            chosen = [(identity, count) for identity, count in chosen if identity in identities]
            for identity, count in chosen:
                totals[identity] = totals.get(identity, 0) + count
            if chosen:
                pieces.append(Piece(sum(count for _, count in chosen), shard))
        return cls(name, storage, pieces, {identity: totals[identity] for identity in sorted(totals)}, weight)

    def read(self, piece: Piece) -> EncodedRows:
        """Return the labelled faces of a shard, its bytes compared with their digest.

        JobFailed when a label has no sample, a sample stands twice, or a file is missing or damaged.
        """
        shard: LabelledShard = piece.place
        labels = read_part(self.storage, shard.labels, ["sample_id", "identity", "quality"])
        # One look-up a row: an Arrow array of the identities would be sorted and hashed anew for each shard.
        chosen = [identity in self.identities for identity in labels["identity"].to_pylist()]
        labels = labels.filter(pa.array(chosen, pa.bool_()))
        samples = ShardStore(self.storage, shard.commit.fingerprint).read(shard.commit, ["sample_id", "image"])
        ids, names = samples["sample_id"].to_pylist(), labels["sample_id"].to_pylist()
        for where, found in ((shard.commit.file.path, ids), (shard.labels.path, names)):
            if (twice := first_repeated(found)) is not None:
                raise JobFailed(f"sample {twice} stands twice in {self.storage.uri(where)}; run `synfiqa verify`")
        position = {name: row for row, name in enumerate(ids)}
        missing = [name for name in names if name not in position]
        if missing:
            raise JobFailed(f"sample {missing[0]} has a label but is not in its shard; run `synfiqa label` again")
        images = samples["image"].combine_chunks().field("bytes")
        return EncodedRows(
            encoded=images.take(pa.array([position[name] for name in names], pa.int64())).to_pylist(),
            quality=labels["quality"].to_numpy().astype(np.float32),
            identity=labels["identity"].to_pylist(),
            names=names,
        )

    def fault(self, name: str, reason: str) -> Exception:
        """Return the error for a damaged image of the run."""
        return JobFailed(f"the image of sample {name} {reason}; generate it again")
