"""Stage 6: commits the shard. Exactly-once comes from the store: the first commit wins, all write the same rows."""

import os
import socket
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from cluster.shard_formats import Format
from cluster.shard_store import ShardStore
from cluster.stage import Resources, Stage, Work
from cluster.storage import Storage
from schemas.rows import SAMPLES


class ShardWriterStage(Stage):
    """Sorts the rows, commits them, and passes on only the counts and the dead.

    A replay (`plan["revision"]` > 0) brings the identities `plan["only"]`; the rest of the shard comes from the
    revision before, and both together are the next.
    """

    name = "shard_writer"
    resources = Resources(cpus=0.5)

    def __init__(self, storage: Storage, fingerprint: str, file_format: Format) -> None:
        self._store = ShardStore(storage, fingerprint, file_format)

    def process(self, work: Work) -> Work:
        """Commit the shard's samples: references before degraded samples, identities in order."""
        revision = work.plan.get("revision", 0)
        table = work.table
        if revision:
            before = self._store.read(self._store.get("samples", work.number, revision - 1))
            remade = pc.is_in(before["identity"], pa.array(work.plan["only"], pa.int64()))
            table = pa.concat_tables([before.filter(pc.invert(remade)), table])
        order = table.append_column("degraded", pc.equal(table["kind"], "degraded"))
        order = order.sort_by([("identity", "ascending"), ("degraded", "ascending"), ("index", "ascending")])
        rows = order.drop(["degraded"])
        busy = {f"seconds_{stage}": f"{seconds:.3f}" for stage, seconds in work.busy.items()}
        provenance = {"node": socket.gethostname(), "process": str(os.getpid()), **work.notes, **busy}
        commit = self._store.commit(
            "samples",
            work.number,
            rows,
            counts=sample_counts(rows, len(work.dead)),
            provenance=provenance,
            dead=work.dead,
            revision=revision,
        )
        counts = {**commit.counts, "bytes": commit.file.bytes}
        return replace(work, table=SAMPLES.empty_table(), counts=counts)


def sample_counts(rows: pa.Table, dead: int) -> dict[str, int]:
    """Return the outcomes of a shard: planned = accepted + rejected + dead; nothing rejects a sample."""
    references = pc.sum(pc.equal(rows["kind"], "reference")).as_py() or 0
    return {
        "planned": rows.num_rows + dead,
        "accepted": rows.num_rows,
        "rejected": 0,
        "dead": dead,
        "reference": references,
        "degraded": rows.num_rows - references,
    }
