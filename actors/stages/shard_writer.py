"""Stage 6: commits the shard. Exactly-once comes from the store: the first commit wins, all write the same rows."""

import os
import socket
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from synfiqa.cluster.commits.shard_formats import Format
from synfiqa.cluster.commits.shard_store import ShardStore
from synfiqa.cluster.pipeline.stage import Resources, Stage, Work
from synfiqa.cluster.storage.storage import Storage
from synfiqa.cluster.telemetry.spans import to_provenance
from synfiqa.schemas.manifest import DeadRow
from synfiqa.schemas.rows import SAMPLES, identity_of


class ShardWriterStage(Stage):
    """Sorts the rows, commits them, and passes on only the counts and the rows that were not made.

    A replay (`plan["revision"]` > 0) brings the identities `plan["only"]`; the rest of the shard comes from the
    revision before, and both together are the next.
    """

    name = "shard_writer"
    resources = Resources(cpus=0.5)
    pace = 0.1

    def __init__(self, storage: Storage, fingerprint: str, file_format: Format) -> None:
        self._store = ShardStore(storage, fingerprint, file_format)

    def process(self, work: Work) -> Work:
        """Commit the shard's samples: references before degraded samples, identities in order."""
        revision = work.plan.get("revision", 0)
        table, lost = work.table, work.dead
        if revision:
            commit = self._store.get("samples", work.number, revision - 1)
            before = self._store.read(commit)
            remade = pc.is_in(before["identity"], pa.array(work.plan["only"], pa.int64()))
            stays = before.filter(pc.invert(remade))
            # A shard that failed as a whole was committed without the columns that only some runs have.
            table = pa.concat_tables([stays, table]) if stays.num_rows else table
            kept = (row for row in self._store.dead_rows(commit) if identity_of(row.item) not in work.plan["only"])
            lost = (*kept, *lost)
        order = table.append_column("degraded", pc.equal(table["kind"], "degraded"))
        order = order.sort_by([("identity", "ascending"), ("degraded", "ascending"), ("index", "ascending")])
        rows = order.drop(["degraded"])
        traced = to_provenance(work.busy, work.traces)
        provenance = {"node": socket.gethostname(), "process": str(os.getpid()), **work.notes, **traced}
        commit = self._store.commit(
            "samples",
            work.number,
            rows,
            counts=sample_counts(rows, lost),
            provenance=provenance,
            dead=lost,
            revision=revision,
        )
        counts = {**commit.counts, "bytes": commit.file.bytes}
        return replace(work, table=SAMPLES.empty_table(), counts=counts)


def sample_counts(rows: pa.Table, lost: Sequence[DeadRow]) -> dict[str, int]:
    """Return the outcomes of a shard: planned = accepted + rejected + dead, and `rejected:<reason>`."""
    reasons = Counter(row.reason for row in lost)
    dead = reasons.pop("", 0)
    references = pc.sum(pc.equal(rows["kind"], "reference")).as_py() or 0
    return {
        "planned": rows.num_rows + len(lost),
        "accepted": rows.num_rows,
        "rejected": reasons.total(),
        "dead": dead,
        "reference": references,
        "degraded": rows.num_rows - references,
        **{f"rejected:{reason}": count for reason, count in sorted(reasons.items())},
    }
