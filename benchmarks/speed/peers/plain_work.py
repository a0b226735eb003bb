"""The stub work of the peers: plain functions over dicts, and the counts that are checked in the end."""

import time
from pathlib import Path

from benchmarks.speed.cluster.stub_stages import images
from benchmarks.speed.peers.scenarios import PAYLOAD, ROWS, Scenario
from synfiqa.cluster.commits.shard_formats import encode

Unit = dict


def work(stage: str, scenario: Scenario, folder: str, unit: Unit) -> Unit:
    """Do the work of a stage on a unit, which carries its Arrow table, and sleep for the rest of its time."""
    begun = time.time()
    if stage == "maker":
        unit = {"number": unit["number"], "began": begun, "table": images(unit["number"], ROWS, PAYLOAD)}
    if stage == "writer":
        table = unit["table"]
        Path(f"{folder}/shard-{unit['number']:06d}.parquet").write_bytes(encode(table, "parquet", {}))
        unit = {"number": unit["number"], "began": unit["began"], "rows": table.num_rows}
    time.sleep(max(0.0, begun + scenario.sleep(stage, unit["number"]) - time.time()))
    return unit


def result_of(peer: str, scenario: Scenario, folder: str, done: list[Unit], submitted: float, closed: float) -> dict:
    """Return wall seconds, start-up seconds and wrong counts as sentences."""
    found = {
        "results": (len(done), scenario.units),
        "distinct results": (len({unit["number"] for unit in done}), scenario.units),
        "files": (len(list(Path(folder).glob("*.parquet"))), scenario.units),
        "rows": (sum(unit["rows"] for unit in done), scenario.units * ROWS),
    }
    wrong = [f"WRONG: {peer} has {got} {name} instead of {want}" for name, (got, want) in found.items() if got != want]
    began = min((unit["began"] for unit in done), default=closed)
    return {"wall": closed - submitted, "start_up": began - submitted, "wrong": wrong}
