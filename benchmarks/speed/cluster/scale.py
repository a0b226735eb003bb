"""Measure time per shard and driver memory against the length of a run, with stub samples in many small shards.

`uv run python -m benchmarks.speed.cluster.scale --shards 10000` makes 1,000,000 samples, and a tenth of them beside it:
peak memory of the driver is compared between the two, seconds per shard within the longer. Exit code 1 when a shard or
row is lost or doubled; a missed bar is only reported.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time

from benchmarks.speed.cluster.stub_stages import Flow, Maker, Passer, Writer, run_folder, units, wrong_counts
from synfiqa.cluster.pipeline.ray_session import ray_session
from synfiqa.cluster.pipeline.stream import stream
from synfiqa.schemas.config.cluster import PlacementSection

MEMORY_BAR, PACE_BAR = 1.2, 1.1
ROWS, PAYLOAD = 100, 32
WARM_UP = 0.02
"""Share of the shards before the first window, in which pools fill and processes warm up."""


def measure(folder: str, shards: int, mode: str) -> dict:
    """Make so many shards in this process, a new one, and return its time and memory."""
    store = run_folder(folder)
    stages = [Maker(), Passer(), Writer(store.storage, store.fingerprint, store.format)]
    placement = PlacementSection.model_validate({"mode": mode})
    cpu: list[float] = []
    with ray_session():
        flow = Flow(time.time())
        for result in stream(stages, units(shards, ROWS, PAYLOAD), store.storage, placement):
            flow.arrived(result)
            cpu.append(time.process_time())
        peak = _peak_mb()
    # Peak before the check below, which reads every commit.
    first, window = int(shards * WARM_UP), shards // 10
    spans = {"first": (first, first + window), "last": (shards - 1 - window, shards - 1)}
    return {
        "shards": shards,
        "peak_mb": peak,
        "start_up": flow.arrivals[0] - flow.submitted,
        "wall": {name: (flow.arrivals[end] - flow.arrivals[start]) / window for name, (start, end) in spans.items()},
        "cpu": {name: (cpu[end] - cpu[start]) / window for name, (start, end) in spans.items()},
        "total": flow.last - flow.submitted,
        "wrong": wrong_counts(store, flow, shards, ROWS),
    }


def _peak_mb() -> float:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def _child(folder: str, shards: int, mode: str) -> dict:
    command = [
        sys.executable,
        "-m",
        "benchmarks.speed.cluster.scale",
        "--shards",
        str(shards),
        "--mode",
        mode,
        "--step",
        folder,
    ]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1])


def _report(result: dict) -> None:
    shards, wall, cpu = result["shards"], result["wall"], result["cpu"]
    print(
        f"{shards:>7,} {shards * ROWS:>10,} {result['peak_mb']:>7.0f} MB {result['start_up']:>6.1f} s "
        f"{result['total']:>7.1f} s {1000 * wall['first']:>8.1f} ms {1000 * wall['last']:>8.1f} ms "
        f"{1000 * cpu['first']:>8.1f} ms {1000 * cpu['last']:>8.1f} ms",
        flush=True,
    )


def main() -> None:
    """Measure a tenth and the whole, each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shards", type=int, default=10_000)
    parser.add_argument("--mode", choices=["fused", "split"], default="fused")
    parser.add_argument("--folder", help="folder in which run folders are made, and removed")
    parser.add_argument("--step", help="measure one size alone in this folder, and print it as JSON")
    options = parser.parse_args()
    if options.step:
        print(json.dumps(measure(options.step, options.shards, options.mode)))
        return
    print(
        f"{'shards':>7} {'samples':>10} {'peak':>10} {'start-up':>8} {'total':>9} "
        f"{'first 10th':>11} {'last 10th':>11} {'driver CPU':>11} {'last 10th':>11}"
    )
    results = []
    for shards in (options.shards // 10, options.shards):
        with tempfile.TemporaryDirectory(prefix="synfiqa-bench-", dir=options.folder) as folder:
            results.append(_child(f"{folder}/run", shards, options.mode))
        _report(results[-1])
    memory = results[1]["peak_mb"] / results[0]["peak_mb"]
    pace = results[1]["wall"]["last"] / results[1]["wall"]["first"]
    print(f"peak memory of the driver, whole / tenth {memory:.3f}, bar {MEMORY_BAR}: {_verdict(memory, MEMORY_BAR)}")
    print(f"seconds per shard, last / first tenth    {pace:.3f}, bar {PACE_BAR}: {_verdict(pace, PACE_BAR)}")
    print(f"{options.mode} placement, {os.cpu_count()} cores")
    wrong = [sentence for result in results for sentence in result["wrong"]]
    print(
        "\n".join(wrong)
        or f"counts exact: {options.shards:,} commits, {options.shards * ROWS:,} rows, 0 lost, 0 doubled"
    )
    sys.exit(bool(wrong))


def _verdict(value: float, bar: float) -> str:
    return "met" if value <= bar else "MISSED"


if __name__ == "__main__":
    main()
