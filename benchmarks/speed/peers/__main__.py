"""Measure stub work on our job system and on two public peers, side by side: cosmos-xenna and plain Ray Data.

`uv run --with cosmos-xenna==0.5.12 python -m benchmarks.speed.peers` runs each scenario of `scenarios.py` on each
system in turn, each time on a cluster of its own. Stages sleep, so that the raylets of a scenario fit this machine. The
best of the rounds counts, because noise only adds. All store every unit as Parquet; ours also flushes it to the disk,
commits it exactly once and can resume. Exit code 1 when one loses or doubles a unit or a row.
"""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from benchmarks.speed.peers.raylets import Raylets, raylets
from benchmarks.speed.peers.scenarios import SCENARIOS, Scenario
from synfiqa.cluster.pipeline.ray_session import prepare_environment

SYSTEMS = {"ours": "ours", "xenna": "cosmos-xenna", "ray-data": "Ray Data"}
LIMIT_S = 900.0
"""Seconds after which a run counts as hanging."""


def main() -> None:
    """Run the scenarios and print wall time, start-up and flow of each system."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenarios", nargs="+", choices=SCENARIOS, default=list(SCENARIOS))
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=list(SYSTEMS))
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--alone", choices=SYSTEMS, help="run one scenario alone in --folder, and print JSON")
    parser.add_argument("--folder")
    options = parser.parse_args()
    # So that the workers of all run at the same priority, not the peers' at Ray's low one.
    prepare_environment()
    if options.alone:
        print(json.dumps(_run(options.alone, options.folder, SCENARIOS[options.scenarios[0]])))
        return
    if "xenna" in options.systems and importlib.util.find_spec("cosmos_xenna") is None:
        sys.exit("cosmos-xenna is not installed: uv run --with cosmos-xenna==0.5.12 python -m benchmarks.speed.peers")
    wrong = [line for name in options.scenarios for line in _compare(SCENARIOS[name], options.systems, options.rounds)]
    print("\n".join(wrong) or f"counts exact on all, 0 lost, 0 doubled ({os.cpu_count()} cores)")
    sys.exit(bool(wrong))


def _run(system: str, folder: str, scenario: Scenario) -> dict:
    if system == "ours":
        from benchmarks.speed.peers.ours import run_ours

        return run_ours(folder, scenario)
    if system == "xenna":
        from benchmarks.speed.peers.xenna import run_xenna

        return run_xenna(folder, scenario)
    from benchmarks.speed.peers.ray_data import run_ray_data

    return run_ray_data(folder, scenario)


def _compare(scenario: Scenario, systems: list[str], rounds: int) -> list[str]:
    best: dict[str, dict] = {}
    wrong: list[str] = []
    for _ in range(rounds):
        for system in systems:
            with tempfile.TemporaryDirectory(prefix="synfiqa-bench-") as folder, raylets(scenario.nodes) as cluster:
                result = _child(system, f"{folder}/run", scenario, cluster)
            wrong += result["wrong"]
            if system not in best or result["wall"] < best[system]["wall"]:
                best[system] = result
    print(f"{scenario.name}: {scenario.title}; {scenario.units} units, best of {rounds}", flush=True)
    for system, result in best.items():
        flow = result["wall"] - result["start_up"]
        line = f"  {SYSTEMS[system]:<13} wall {result['wall']:7.1f} s  start-up {result['start_up']:5.1f} s"
        line += f"  flow {flow:7.1f} s"
        if system != "ours" and "ours" in best:
            ours = best["ours"]
            line += f"  ours / {system}: wall {ours['wall'] / result['wall']:.3f}, "
            line += f"flow {(ours['wall'] - ours['start_up']) / flow:.3f}"
        print(line, flush=True)
    if not scenario.workers:
        print(f"  every CPU of the first raylets busy all the time: {scenario.ideal():.1f} s", flush=True)
    return wrong


def _child(system: str, folder: str, scenario: Scenario, cluster: Raylets) -> dict:
    command = [sys.executable, "-m", "benchmarks.speed.peers", "--alone", system, "--folder", folder]
    process = subprocess.Popen(
        [*command, "--scenarios", scenario.name],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "RAY_ADDRESS": cluster.address},
    )
    # The raylets that join are started by the main thread, because Ray sets signal handlers there.
    output: list[str] = []
    reading = threading.Thread(target=lambda: output.extend(process.communicate()))
    reading.start()
    end = time.monotonic() + LIMIT_S
    try:
        _join_later(folder, scenario, cluster, process, end)
        reading.join(max(0.0, end - time.monotonic()))
    finally:
        if process.poll() is None:
            process.kill()
            sys.exit(f"{SYSTEMS[system]} did not end within {LIMIT_S:g} s on '{scenario.name}'")
    said, complaints = output
    if process.returncode:
        sys.exit(f"{SYSTEMS[system]} failed on '{scenario.name}':\n{complaints[-2000:]}")
    result: dict = json.loads(said.splitlines()[-1])
    return result


def _join_later(folder: str, scenario: Scenario, cluster: Raylets, process: subprocess.Popen, end: float) -> None:
    """Add the raylets that join once a unit is stored, at the latest at this time of the monotonic clock."""
    while scenario.joins and process.poll() is None and time.monotonic() < end:
        if any(Path(folder).rglob("*.parquet")):
            for _ in range(scenario.joins):
                cluster.add()
            return
        time.sleep(0.2)


if __name__ == "__main__":
    main()
