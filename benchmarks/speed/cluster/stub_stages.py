"""Stub stages that sleep instead of computing, to measure the overhead of the job system.

Each makes or returns a unit of image-sized payloads, and the last one commits it as a real shard. They also note
begin and end by the machine's clock, to separate start-up from the flow.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa

from synfiqa.actors.stages.shard_writer import ShardWriterStage
from synfiqa.cluster.commits.shard_formats import Format
from synfiqa.cluster.commits.shard_store import ShardStore
from synfiqa.cluster.pipeline.stage import Resources, Stage, Work
from synfiqa.cluster.run.manifest import open_run
from synfiqa.cluster.storage.storage import Storage
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.manifest import Dead
from synfiqa.schemas.rows import IDENTITIES, SAMPLES, image_path, sample_id


def images(number: int, rows: int, payload: int) -> pa.Table:
    """Return the sample rows of one unit: `rows` images of `payload` seeded bytes, all of one identity."""
    noise = np.random.default_rng(number).bytes(payload)
    columns = {
        "sample_id": [sample_id(number, "degraded", index) for index in range(rows)],
        "identity": [number] * rows,
        "kind": ["degraded"] * rows,
        "index": list(range(rows)),
        "image": [
            {"bytes": index.to_bytes(4, "big") + noise[4:], "path": image_path(number, "degraded", index)}
            for index in range(rows)
        ],
    }
    made = [pa.array(columns[f.name], f.type) if f.name in columns else pa.nulls(rows, f.type) for f in SAMPLES]
    return pa.Table.from_arrays(made, schema=SAMPLES)


def units(count: int, rows: int, payload: int) -> Iterator[Work]:
    """Plan `count` units, empty as those of a real run on the driver."""
    empty = IDENTITIES.empty_table()
    for number in range(count):
        yield Work("samples", number, empty, plan={"rows": rows, "payload": payload})


class _Sleeper:
    """Stage that sleeps and notes the time span of its work."""

    name: str

    def _sleep(self, work: Work, seconds: float, begun: float) -> Work:
        time.sleep(max(0.0, begun + seconds - time.time()))
        return replace(
            work, notes={**work.notes, f"began_{self.name}": repr(begun), f"ended_{self.name}": repr(time.time())}
        )


class Maker(_Sleeper, Stage):
    """Stage that makes the payload of a unit."""

    name = "maker"
    resources = Resources(cpus=0.5)

    def __init__(self, seconds: float = 0.0) -> None:
        self._seconds = seconds

    def process(self, work: Work) -> Work:
        """Fill the unit with its images."""
        begun = time.time()
        table = images(work.number, work.plan["rows"], work.plan["payload"])
        return self._sleep(replace(work, table=table), self._seconds, begun)


class Passer(_Sleeper, Stage):
    """Stage that returns the payload unchanged, like one that measures."""

    name = "passer"
    resources = Resources(cpus=0.5)

    def __init__(self, seconds: float = 0.0) -> None:
        self._seconds = seconds

    def process(self, work: Work) -> Work:
        """Return the unit unchanged."""
        return self._sleep(work, self._seconds, time.time())


class Writer(_Sleeper, ShardWriterStage):
    """Stage that commits the unit by the real writer."""

    name = "writer"

    def __init__(self, storage: Storage, fingerprint: str, file_format: Format, seconds: float = 0.0) -> None:
        super().__init__(storage, fingerprint, file_format)
        self._seconds = seconds

    def process(self, work: Work) -> Work:
        """Commit the unit."""
        begun = time.time()
        return self._sleep(super().process(work), self._seconds, begun)


@dataclass
class Flow:
    """Results of a stream and their times by the machine's clock; spans of a stage are sorted."""

    submitted: float
    numbers: list[int] = field(default_factory=list)
    dead: int = 0
    busy: Counter[str] = field(default_factory=Counter)
    arrivals: list[float] = field(default_factory=list)
    closed: float = 0.0
    _notes: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def arrived(self, result: Work | Dead) -> None:
        """Record one result."""
        self.arrivals.append(time.time())
        self.numbers.append(result.number)
        if isinstance(result, Dead):
            self.dead += 1
            return
        for stage, seconds in result.busy.items():
            self.busy[stage] += seconds
        for name, when in result.notes.items():
            self._notes[name].append(float(when))

    @property
    def last(self) -> float:
        """Time of the last result."""
        return self.arrivals[-1]

    def began(self, stage: str) -> list[float]:
        """Return the times at which the stage began each unit, ascending."""
        return sorted(self._notes[f"began_{stage}"])

    def ended(self, stage: str) -> list[float]:
        """Return the times at which the stage ended each unit, ascending."""
        return sorted(self._notes[f"ended_{stage}"])


def run_folder(folder: str) -> ShardStore:
    """Make an empty run and return its store."""
    storage = Storage(folder)
    manifest = open_run(storage, RunConfig.model_validate({"run": {"url": folder}}), {})
    return ShardStore(storage, manifest.fingerprint)


def wrong_counts(store: ShardStore, flow: Flow, count: int, rows: int) -> list[str]:
    """Return a sentence for each count that is not exact: lost, doubled, dead or left-over units, rows, commits."""
    committed = store.committed("samples")
    counted = sum(commit.file.rows for commit in committed.values())
    found = {
        "results": (len(flow.numbers), count),
        "distinct results": (len(set(flow.numbers)), count),
        "dead units": (flow.dead, 0),
        "commits": (len(committed), count),
        "rows under commits": (counted, count * rows),
        "data files": (len(store.storage.list("samples")), count),
        "attempt marks left": (len(store.storage.list("attempts")), 0),
    }
    return [f"WRONG: {got} {name} instead of {wanted}" for name, (got, wanted) in found.items() if got != wanted]
