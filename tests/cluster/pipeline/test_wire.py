"""A unit of work survives the wire whole, and so does the reason why it is dead."""

import pyarrow as pa

from synfiqa.cluster.pipeline.stage import Work
from synfiqa.cluster.pipeline.wire import WIRE, pack, unpack
from synfiqa.cluster.telemetry.spans import StageTrace
from synfiqa.schemas.manifest import Dead

TRACES = {"gen": StageTrace(1700000000.25, "node/1@2", "GPU-1", 0.75, 2**30), "look": StageTrace(1.5, "node/2@2")}
WORK = Work(
    "samples",
    7,
    pa.table({"a": [1, None], "b": [b"x", b"y\0"]}),
    {"first": 3},
    {"degraded": 2},
    {"gen": 0.5},
    traces=TRACES,
)


def over_the_wire(row):
    return pa.Table.from_pylist([row], schema=WIRE).to_pylist()[0]


def test_a_unit_comes_back_as_it_went():
    back = unpack(over_the_wire(pack(WORK)))
    assert back.table.equals(WORK.table)
    assert (back.kind, back.number, back.plan, back.counts, back.busy) == (
        "samples",
        7,
        {"first": 3},
        {"degraded": 2},
        {"gen": 0.5},
    )
    assert back.traces == TRACES


def test_a_dead_unit_carries_its_reason_and_no_rows():
    dead = Dead(kind="samples", number=7, stage="annotator", error="ValueError: no", attempts=3)
    row = over_the_wire(pack(WORK, dead))
    assert row["payload"] == b""
    assert unpack(row) == dead
