"""How a unit of work travels between actors: one Ray Data row, its rows packed as one Arrow IPC payload.

A block is never cut inside a row, so a unit arrives whole whatever its size (measured reasons in architecture.md).
"""

import json

import pyarrow as pa

from cluster.stage import Work
from schemas.manifest import Dead

WIRE = pa.schema(
    [
        ("kind", pa.string()),
        ("number", pa.int64()),
        ("payload", pa.large_binary()),
        ("plan", pa.string()),
        ("counts", pa.string()),
        ("busy", pa.string()),
        ("dead", pa.string()),  # JSON of schemas.manifest.Dead, empty while the unit lives
    ]
)


def to_ipc(table: pa.Table) -> bytes:
    """Serialise a table as one Arrow IPC stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def from_ipc(payload: bytes) -> pa.Table:
    """Read back what `to_ipc` wrote."""
    return pa.ipc.open_stream(payload).read_all()


def pack(work: Work, dead: Dead | None = None) -> dict:
    """Return the wire row of a unit, or its dead record without payload."""
    return {
        "kind": work.kind,
        "number": work.number,
        "payload": b"" if dead else to_ipc(work.table),
        "plan": json.dumps(work.plan),
        "counts": json.dumps(work.counts),
        "busy": json.dumps(work.busy),
        "dead": dead.model_dump_json() if dead else "",
    }


def unpack(row: dict) -> Work | Dead:
    """Return the unit of a wire row, or why it is dead."""
    if row["dead"]:
        return Dead.model_validate_json(row["dead"])
    return Work(
        kind=row["kind"],
        number=row["number"],
        table=from_ipc(row["payload"]),
        plan=json.loads(row["plan"]),
        counts=json.loads(row["counts"]),
        busy=json.loads(row["busy"]),
    )
