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
    """Sorts the rows, commits them, and passes on only the counts."""

    name = "shard_writer"
    resources = Resources(cpus=0.5)

    def __init__(self, run_url: str, fingerprint: str, file_format: Format) -> None:
        self._run_url = run_url
        self._fingerprint = fingerprint
        self._format = file_format

    def process(self, work: Work) -> Work:
        """Commit the shard's samples: references before degraded samples, identities in order."""
        store = ShardStore(Storage(self._run_url), self._fingerprint, self._format)
        order = work.table.append_column("degraded", pc.equal(work.table["kind"], "degraded"))
        order = order.sort_by([("identity", "ascending"), ("degraded", "ascending"), ("index", "ascending")])
        busy = {f"seconds_{stage}": f"{seconds:.3f}" for stage, seconds in work.busy.items()}
        provenance = {"node": socket.gethostname(), "process": str(os.getpid()), **busy}
        commit = store.commit(
            "samples", work.number, order.drop(["degraded"]), counts=work.counts, provenance=provenance
        )
        counts = {**commit.counts, "bytes": commit.file.bytes}
        return replace(work, table=pa.Table.from_pylist([], schema=SAMPLES), counts=counts)
