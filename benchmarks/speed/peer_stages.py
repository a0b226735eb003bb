"""The stub stages of `stub_stages.py` for the peer; importable only where cosmos-xenna is installed."""

import time
from pathlib import Path

from cosmos_xenna.pipelines import v1

from benchmarks.speed.stub_stages import images
from synfiqa.cluster.commits.shard_formats import encode

Unit = dict


class _PeerStage(v1.Stage):
    """A stage that sleeps; units travel as dicts around the same Arrow tables."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    @property
    def required_resources(self) -> v1.Resources:
        """Share of CPUs with which three stages fit into the one core of two that the peer allocates."""
        return v1.Resources(cpus=0.25)

    def process_data(self, in_data: list) -> list:
        """Work on each unit, and sleep for the rest of its time."""
        done = []
        for unit in in_data:
            begun = time.time()
            done.append(self.work(unit))
            time.sleep(max(0.0, begun + self._seconds - time.time()))
        return done

    def work(self, unit: Unit) -> Unit:
        """Return the unit unchanged."""
        return unit


class PeerMaker(_PeerStage):
    """Makes the payload of a unit."""

    def __init__(self, rows: int, payload: int, seconds: float) -> None:
        super().__init__(seconds)
        self._rows, self._payload = rows, payload

    def work(self, unit: Unit | int) -> Unit:
        """Fill unit `number` with its images."""
        assert isinstance(unit, int)
        return {"number": unit, "began": time.time(), "table": images(unit, self._rows, self._payload)}


class PeerPasser(_PeerStage):
    """Passes the payload on."""


class PeerWriter(_PeerStage):
    """Stores the unit in one file under its final name."""

    def __init__(self, folder: str, seconds: float) -> None:
        super().__init__(seconds)
        self._folder = folder

    def work(self, unit: Unit) -> Unit:
        """Write the Parquet file and keep the row count alone."""
        table = unit.pop("table")
        Path(f"{self._folder}/shard-{unit['number']:06d}.parquet").write_bytes(encode(table, "parquet", {}))
        return {**unit, "rows": table.num_rows}
