"""Training data: committed shards joined with their labels by sample id, in equal batches for each worker."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from torch.utils.data import IterableDataset

from synfiqa.actors.imaging.codec import decode as decode_image
from synfiqa.actors.nets.quality_net import to_gray
from synfiqa.cluster.commits.shard_store import ShardStore
from synfiqa.cluster.storage.storage import Storage
from synfiqa.fiqa_train.labels.parts import LabelledShard, read_part
from synfiqa.schemas.errors import JobFailed, UserError
from synfiqa.schemas.seeds import derive_seed, generator

CACHE_ROWS = 30_000
"""Training rows up to which each worker keeps all decoded faces in memory: 12.5 KB each, 380 MB."""
WINDOW = 4
"""Shards shuffled together when the set exceeds `CACHE_ROWS`."""


@dataclass(frozen=True)
class Faces:
    """Labelled faces: luma uint8 (N, 112, 112), quality float32 (N,), identity int64 (N,), sample ids (N)."""

    gray: np.ndarray
    quality: np.ndarray
    identity: np.ndarray
    sample_id: np.ndarray

    def __len__(self) -> int:
        return len(self.quality)

    def take(self, rows: np.ndarray) -> "Faces":
        """Return the faces at these positions."""
        return Faces(self.gray[rows], self.quality[rows], self.identity[rows], self.sample_id[rows])


def read_label_table(storage: Storage, shard: LabelledShard) -> pa.Table:
    """Return sample_id, identity and quality of the shard's degraded samples."""
    return read_part(storage, shard.labels, ["sample_id", "identity", "quality"])


def read_faces(storage: Storage, shard: LabelledShard, identities: frozenset[int]) -> Faces:
    """Return the labelled faces of these identities; JobFailed when a label has no sample or an image is damaged."""
    labels = read_label_table(storage, shard)
    # One look-up a row: an Arrow array of the identities would be sorted and hashed anew for each shard.
    chosen = [identity in identities for identity in labels["identity"].to_pylist()]
    labels = labels.filter(pa.array(chosen, pa.bool_()))
    columns = ["sample_id", "image"]
    samples = ShardStore(storage, shard.commit.fingerprint).read(shard.commit, columns)
    position = {name: row for row, name in enumerate(samples["sample_id"].to_pylist())}
    names = labels["sample_id"].to_pylist()
    missing = [name for name in names if name not in position]
    if missing:
        raise JobFailed(f"sample {missing[0]} has a label but is not in its shard; run `synfiqa label` again")
    images = samples["image"].combine_chunks().field("bytes")
    return Faces(
        gray=decode_gray([images[position[name]].as_py() for name in names], names),
        quality=labels["quality"].to_numpy().astype(np.float32),
        identity=labels["identity"].to_numpy(),
        sample_id=np.array(names, dtype=object),
    )


def decode_gray(encoded: Sequence[bytes], names: Sequence[str]) -> np.ndarray:
    """Return the luma uint8 (N, 112, 112) of encoded aligned faces; JobFailed naming a damaged one."""
    gray = np.empty((len(encoded), 112, 112), np.uint8)
    for row, (data, name) in enumerate(zip(encoded, names, strict=True)):
        try:
            gray[row] = to_gray(decode_image(data)[None])[0]
        except ValueError as error:
            raise JobFailed(f"the image of sample {name} cannot be used ({error}); generate it again") from error
    return gray


def join(parts: Sequence[Faces]) -> Faces:
    """Concatenate sets of faces in order."""
    return Faces(
        np.concatenate([np.empty((0, 112, 112), np.uint8), *(part.gray for part in parts)]),
        np.concatenate([np.empty(0, np.float32), *(part.quality for part in parts)]),
        np.concatenate([np.empty(0, np.int64), *(part.identity for part in parts)]),
        np.concatenate([np.empty(0, object), *(part.sample_id for part in parts)]),
    )


def read_all(
    storage: Storage, shards: Sequence[LabelledShard], identities: frozenset[int], limit: int | None = None
) -> Faces:
    """Read the faces of these identities, shard by shard, up to `limit` rows (None: all)."""
    parts: list[Faces] = []
    for shard in shards:
        parts.append(read_faces(storage, shard, identities))
        if limit is not None and sum(map(len, parts)) >= limit:
            break
    faces = join(parts)
    return faces if limit is None else faces.take(np.arange(min(limit, len(faces))))


def batch_plan(rows: int, batch_size: int, world: int) -> tuple[int, int]:
    """Return faces per batch of each rank, and batches per epoch; UserError if a rank gets fewer than two faces.

    `batch_size` counts over all ranks, so that the learning rate suits any number of workers.
    """
    batch = min(batch_size, rows) // world
    if batch < 2:
        raise UserError(
            f"{rows} training images in batches of {batch_size} leave each of {world} workers fewer than 2: "
            "generate more, raise train.batch_size or lower train.workers"
        )
    return batch, rows // (batch * world)


class TrainingFaces(IterableDataset[Faces]):
    """Batches of one worker in an epoch, in an order fixed by seed, epoch, rank and world size.

    Every rank yields exactly `steps` batches of `batch` faces, since gradients are averaged over all ranks at each
    step. Up to `cache_rows` rows the set is decoded once and kept, and an epoch has each face at most once over all
    ranks. A larger set is streamed: the epoch's shuffled shards are distributed over the ranks and mixed within a
    window of them; a rank whose shards are used up repeats them.
    """

    def __init__(
        self,
        storage: Storage,
        shards: Sequence[LabelledShard],
        identities: frozenset[int],
        rows: int,
        batch_size: int,
        seed: int,
        rank: int = 0,
        world: int = 1,
        cache_rows: int = CACHE_ROWS,
    ) -> None:
        self.batch, self.steps = batch_plan(rows, batch_size, world)
        self._storage, self._shards, self._identities = storage, list(shards), identities
        self._rows, self._seed, self._rank, self._world = rows, seed, rank, world
        self._kept: Faces | None = None
        self._keep = rows <= cache_rows
        self.epoch = 0

    def __iter__(self) -> Iterator[Faces]:
        yield from self._from_memory() if self._keep else self._from_shards()

    def _rng(self, *path: str | int) -> np.random.Generator:
        return generator(derive_seed(self._seed, "order", self.epoch, *path))

    def _from_memory(self) -> Iterator[Faces]:
        if self._kept is None:
            self._kept = read_all(self._storage, self._shards, self._identities)
            if len(self._kept) != self._rows:
                raise JobFailed(
                    f"{len(self._kept)} of {self._rows} training images were found; run `synfiqa label` again"
                )
        mine = self._rng().permutation(self._rows)[self._rank :: self._world]
        for step in range(self.steps):
            yield self._kept.take(mine[step * self.batch : (step + 1) * self.batch])

    def _from_shards(self) -> Iterator[Faces]:
        order = self._rng().permutation(len(self._shards))
        # With fewer shards than ranks some ranks share one.
        mine = order[self._rank :: self._world] if len(order) >= self._world else order[[self._rank % len(order)]]
        left = self.steps
        for lap in range(self.steps + 1):
            pending = join([])
            for start in range(0, len(mine), WINDOW):
                window = [self._shards[index] for index in mine[start : start + WINDOW]]
                faces = join([pending, *(read_faces(self._storage, shard, self._identities) for shard in window)])
                faces = faces.take(self._rng("window", self._rank, lap, start).permutation(len(faces)))
                whole = min(left, len(faces) // self.batch)
                for step in range(whole):
                    yield faces.take(np.arange(step * self.batch, (step + 1) * self.batch))
                left -= whole
                if not left:
                    return
                pending = faces.take(np.arange(whole * self.batch, len(faces)))
        raise JobFailed("a worker's shards hold too few training images for one batch; lower train.workers")
