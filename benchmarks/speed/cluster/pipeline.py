"""Measure the overhead of the job system with stages that sleep: wall time against the bottleneck stage's busy time.

`uv run python -m benchmarks.speed.cluster.pipeline` sends 240 units of 64 images through three pools and real commits,
in about two and a half minutes. Exit code 1 when a unit, row or commit is lost or doubled; a missed bar is only
reported.
"""

import argparse
import os
import sys
import tempfile
import time

from benchmarks.speed.cluster.stub_stages import Flow, Maker, Passer, Writer, run_folder, units, wrong_counts
from synfiqa.cluster.pipeline.ray_session import ray_session
from synfiqa.cluster.pipeline.stream import stream
from synfiqa.schemas.config.cluster import PlacementSection

BAR = 1.05
ROWS, PAYLOAD = 64, 5_000


def measure(folder: str, count: int, seconds: float, workers: int) -> tuple[Flow, list[str]]:
    """Run `count` units through the pools; return their times, and wrong counts as sentences."""
    store = run_folder(folder)
    stages = [
        Maker(seconds / 5),
        Passer(seconds),
        Writer(store.storage, store.fingerprint, store.format, seconds / 5),
    ]
    placement = PlacementSection(mode="split", workers=workers)
    flow = Flow(time.time())
    for result in stream(stages, list(units(count, ROWS, PAYLOAD)), store.storage, placement):
        flow.arrived(result)
    flow.closed = time.time()
    return flow, wrong_counts(store, flow, count, ROWS)


def main() -> None:
    """Measure once and print the parts of the wall time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--units", type=int, default=240)
    parser.add_argument("--seconds", type=float, default=0.5, help="sleep of the bottleneck stage a unit")
    parser.add_argument("--workers", type=int, default=1, help="workers a pool")
    parser.add_argument("--folder", help="folder in which the run folder is made, and removed")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="synfiqa-bench-", dir=options.folder) as folder, ray_session():
        flow, wrong = measure(f"{folder}/run", options.units, options.seconds, options.workers)
    busy = flow.busy["passer"] / options.workers
    start_up = flow.began("maker")[0] - flow.submitted
    spans = {
        "start-up: submission to the first unit at work": start_up,
        "filling: until the bottleneck has its first unit": flow.began("passer")[0] - flow.began("maker")[0],
        "bottleneck busy": busy,
        "bottleneck idle between units": flow.ended("passer")[-1] - flow.began("passer")[0] - busy,
        "draining: from its last unit to the last result": flow.last - flow.ended("passer")[-1],
    }
    for name, span in spans.items():
        print(f"{name:<50} {span:8.2f} s {span / busy:7.3f}")
    wall = flow.last - flow.submitted
    print(f"{'closing the pools, after the last result':<50} {flow.closed - flow.last:8.2f} s")
    print(f"{'wall / busy, without start-up':<50} {wall - start_up:8.2f} s {(wall - start_up) / busy:7.3f}")
    print(f"{'wall / busy':<50} {wall:8.2f} s {wall / busy:7.3f}")
    print(
        f"bar {BAR}: {'met' if wall / busy <= BAR else 'MISSED'} "
        f"({options.units} units of {ROWS} images, {options.workers} x 3 workers, {os.cpu_count()} cores)"
    )
    print("\n".join(wrong) or f"counts exact: {options.units} commits, {options.units * ROWS} rows, 0 lost, 0 doubled")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
