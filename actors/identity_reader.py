"""Reads the accepted identities of one output shard from the ledger, so that the driver never carries their pixels."""

from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from cluster.shard_store import ShardStore
from cluster.stage import Resources, Stage, Work
from cluster.storage import Storage
from schemas.rows import IDENTITIES


class IdentityReaderStage(Stage):
    """Loads identities `plan["first"] .. plan["last"]` out of the ledger units `plan["units"]`."""

    name = "identity_reader"
    resources = Resources(cpus=0.25)

    def __init__(self, run_url: str, fingerprint: str) -> None:
        self._run_url = run_url
        self._fingerprint = fingerprint

    def process(self, work: Work) -> Work:
        """Return the shard's identities in order."""
        store = ShardStore(Storage(self._run_url), self._fingerprint)
        units = [store.read(store.get("identities", unit), columns=None) for unit in work.plan["units"]]
        ledger = pa.concat_tables(units)
        wanted = pc.and_(
            pc.greater_equal(ledger["identity"], work.plan["first"]),
            pc.less_equal(ledger["identity"], work.plan["last"]),
        )
        table = ledger.filter(wanted).select(IDENTITIES.names).sort_by("identity").cast(IDENTITIES)
        if table.num_rows != work.plan["last"] - work.plan["first"] + 1:
            raise ValueError(f"the ledger holds {table.num_rows} of the identities of shard {work.number}")
        return replace(work, table=table)
