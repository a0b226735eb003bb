"""How a unit of work travels between actors: one Ray Data row, its rows packed as one Arrow IPC payload.

A block is never cut inside a row, so a unit arrives whole whatever its size (measured reasons in architecture.md).
"""

import json
from dataclasses import asdict

import pyarrow as pa

from synfiqa.cluster.pipeline.stage import Work
from synfiqa.cluster.telemetry.spans import StageTrace
from synfiqa.schemas import errors
from synfiqa.schemas.errors import JobFailed, UserError
from synfiqa.schemas.manifest import Dead, DeadRow

WIRE = pa.schema(
    [
        ("kind", pa.string()),
        ("number", pa.int64()),
        ("payload", pa.large_binary()),
        ("plan", pa.string()),
        ("counts", pa.string()),
        ("busy", pa.string()),
        ("notes", pa.string()),
        ("traces", pa.string()),  # JSON of synfiqa.cluster.telemetry.spans.StageTrace by stage
        ("rows", pa.string()),  # JSON list of synfiqa.schemas.manifest.DeadRow
        ("dead", pa.string()),  # JSON of synfiqa.schemas.manifest.Dead, empty while the unit lives
        ("fatal", pa.string()),  # JSON of an error that ends the job, empty otherwise
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


def pack(work: Work, dead: Dead | None = None, fatal: UserError | JobFailed | None = None) -> dict:
    """Return the wire row of a unit; of a dead one, or one whose error ends the job, without payload."""
    lives = dead is None and fatal is None
    return {
        "kind": work.kind,
        "number": work.number,
        "payload": to_ipc(work.table) if lives else b"",
        "plan": json.dumps(work.plan),
        "counts": json.dumps(work.counts),
        "busy": json.dumps(work.busy),
        "notes": json.dumps(work.notes),
        "traces": json.dumps({stage: asdict(trace) for stage, trace in work.traces.items()}),
        "rows": json.dumps([row.model_dump() for row in work.dead]) if work.dead else "",
        "dead": dead.model_dump_json() if dead else "",
        "fatal": json.dumps({"type": type(fatal).__name__, "message": str(fatal)}) if fatal else "",
    }


def unpack(row: dict) -> Work | Dead:
    """Return the unit of a wire row, or why it is dead; raises the error that ends the job."""
    if row["fatal"]:
        raise _error(json.loads(row["fatal"]))
    if row["dead"]:
        return Dead.model_validate_json(row["dead"])
    return Work(
        kind=row["kind"],
        number=row["number"],
        table=from_ipc(row["payload"]),
        plan=json.loads(row["plan"]),
        counts=json.loads(row["counts"]),
        busy=json.loads(row["busy"]),
        notes=json.loads(row["notes"]),
        traces={stage: StageTrace(**trace) for stage, trace in json.loads(row["traces"]).items()},
        dead=tuple(DeadRow.model_validate(item) for item in json.loads(row["rows"] or "[]")),
    )


def _error(fatal: dict[str, str]) -> UserError | JobFailed:
    found = getattr(errors, fatal["type"], JobFailed)
    return found(fatal["message"])
