"""Label files matched with shards: a part for each shard with degraded samples, more for one that has grown."""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from synfiqa.cluster.commits.column_reads import in_order
from synfiqa.cluster.commits.shard_formats import decode
from synfiqa.cluster.commits.shard_store import read_verified
from synfiqa.cluster.storage.storage import Storage
from synfiqa.schemas.calibration import Calibration
from synfiqa.schemas.errors import JobFailed
from synfiqa.schemas.manifest import Commit, DataFile

_PART = re.compile(r"shard-(\d+)-")


@dataclass(frozen=True)
class LabelledShard:
    """A committed shard of samples and a part of a label pass that covers its degraded ones, or some of them."""

    commit: Commit
    labels: DataFile


def label_digest(calibration: Calibration) -> str:
    """Return the SHA-256 (hex) over all label files of a pass, in shard order."""
    return hashlib.sha256("\n".join(part.sha256 for part in calibration.parts).encode()).hexdigest()


def pair_shards(commits: Iterable[Commit], parts: Iterable[DataFile]) -> list[LabelledShard]:
    """Match label parts with shards by number; JobFailed when a part belongs to no committed shard."""
    by_number = {commit.number: commit for commit in commits}
    paired = []
    for part in parts:
        number = shard_of(part)
        if number not in by_number:
            raise JobFailed(f"label part {part.path} belongs to no committed shard; run `synfiqa label` again")
        paired.append(LabelledShard(by_number[number], part))
    return sorted(paired, key=lambda shard: shard.commit.number)


def shard_of(part: DataFile) -> int:
    """Return the number of the shard that a part covers; -1 for a file that is no part of a pass."""
    match = _PART.match(part.path.rpartition("/")[2])
    return -1 if match is None else int(match[1])


def by_shard(parts: Iterable[DataFile]) -> dict[int, list[DataFile]]:
    """Return the parts by the number of their shard, in order; a shard of a run that has grown has several."""
    found: dict[int, list[DataFile]] = {}
    for part in parts:
        found.setdefault(shard_of(part), []).append(part)
    return found


def labelled_identities(storage: Storage, shards: Sequence[LabelledShard]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return for each shard its labelled identities in ascending order, and how many labels each has, int64 (N,)."""
    parts = in_order(lambda shard: read_part(storage, shard.labels, ["identity"]), shards)
    return [np.unique(part["identity"].to_numpy(), return_counts=True) for part in parts]


def read_part(storage: Storage, part: DataFile, columns: Sequence[str]) -> pa.Table:
    """Return these columns (of schema `LABELS`) of one part; JobFailed when it is missing or its bytes changed."""
    return decode(read_verified(storage, part), "parquet", columns)
