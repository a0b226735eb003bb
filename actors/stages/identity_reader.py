"""Reads the accepted identities of one output shard from the ledger; their pixels never pass the driver."""

from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from synfiqa.cluster.commits.shard_store import ShardStore
from synfiqa.cluster.pipeline.stage import Resources, Stage, Work
from synfiqa.cluster.storage.storage import Storage
from synfiqa.schemas.rows import IDENTITIES


class IdentityReaderStage(Stage):
    """Loads identities `first` to `last` of the plan, or `only` some, out of the ledger units it names."""

    name = "identity_reader"
    resources = Resources(cpus=0.25)
    pace = 0.1

    def __init__(self, storage: Storage, fingerprint: str) -> None:
        self._store = ShardStore(storage, fingerprint)

    def process(self, work: Work) -> Work:
        """Return the shard's identities in order."""
        units = work.plan["units"]
        # Units that a growth has decided further have more identities in their latest revision.
        revisions = work.plan.get("revisions") or [0] * len(units)
        ledger = pa.concat_tables(
            self._store.read(self._store.get("identities", *unit), IDENTITIES.names)
            for unit in zip(units, revisions, strict=True)
        )
        wanted = work.plan.get("only", range(work.plan["first"], work.plan["last"] + 1))
        table = ledger.filter(pc.is_in(ledger["identity"], pa.array(wanted, pa.int64())))
        table = table.select(IDENTITIES.names).sort_by("identity").cast(IDENTITIES)
        if table.num_rows != len(wanted):
            raise ValueError(f"the ledger holds {table.num_rows} of the identities of shard {work.number}")
        return replace(work, table=table)
