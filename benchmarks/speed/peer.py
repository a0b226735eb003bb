"""Measure one stub workload on our job system and on a public peer, cosmos-xenna, which also streams over Ray actors.

`uv run --with cosmos-xenna==0.5.12 python -m benchmarks.speed.peer` runs both in turn, each time in a fresh process,
three stages with one worker each: once with stages that sleep, once with stages that compute almost nothing. The best
of the rounds counts, because noise only adds. Both store every unit as Parquet; ours also flushes it to the disk,
commits it exactly once and can resume, which the peer cannot. Exit code 1 when either loses or doubles a unit or a row.
"""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.speed.stub_stages import Flow, Maker, Passer, Writer, run_folder, units, wrong_counts
from synfiqa.cluster.pipeline.ray_session import prepare_environment, ray_session
from synfiqa.cluster.pipeline.stream import stream
from synfiqa.schemas.config.cluster import PlacementSection

ROWS, PAYLOAD = 64, 5_000
SYSTEMS = ("ours", "peer")


def run_ours(folder: str, count: int, seconds: float) -> dict:
    """Run our pipeline with its real commits."""
    store = run_folder(folder)
    stages = [
        Maker(seconds / 5),
        Passer(seconds),
        Writer(store.storage, store.fingerprint, store.format, seconds / 5),
    ]
    with ray_session():
        flow = Flow(time.time())
        for result in stream(
            stages, list(units(count, ROWS, PAYLOAD)), store.storage, PlacementSection(mode="split", workers=1)
        ):
            flow.arrived(result)
        closed = time.time()
    return _result(flow.submitted, flow.began("maker")[0], closed, wrong_counts(store, flow, count, ROWS))


def run_peer(folder: str, count: int, seconds: float) -> dict:
    """Run the peer's streaming executor over the same payloads; Ray is started before the clock, as for ours."""
    from cosmos_xenna.pipelines import v1
    from cosmos_xenna.ray_utils.cluster import init_or_connect_to_cluster

    from benchmarks.speed.peer_stages import PeerMaker, PeerPasser, PeerWriter

    Path(folder).mkdir()
    # The peer's monitoring looks for the cluster by itself, and fails when the machine runs several.
    os.environ["RAY_ADDRESS"] = init_or_connect_to_cluster(log_to_driver=False).address_info["gcs_address"]
    quiet = v1.VerbosityLevel.NONE
    config = v1.PipelineConfig(
        return_last_stage_outputs=True,
        actor_pool_verbosity_level=quiet,
        monitoring_verbosity_level=quiet,
        mode_specific=v1.StreamingSpecificSpec(executor_verbosity_level=quiet),
    )
    stages = [PeerMaker(ROWS, PAYLOAD, seconds / 5), PeerPasser(seconds), PeerWriter(folder, seconds / 5)]
    spec = v1.PipelineSpec(
        input_data=list(range(count)),
        stages=[v1.StageSpec(stage, num_workers=1) for stage in stages],
        config=config,
    )
    submitted = time.time()
    done = v1.run_pipeline(spec) or []
    closed = time.time()
    found = {
        "results": (len(done), count),
        "distinct results": (len({unit["number"] for unit in done}), count),
        "files": (len(list(Path(folder).glob("*.parquet"))), count),
        "rows": (sum(unit["rows"] for unit in done), count * ROWS),
    }
    wrong = [
        f"WRONG: the peer has {got} {name} instead of {want}" for name, (got, want) in found.items() if got != want
    ]
    return _result(submitted, min(unit["began"] for unit in done), closed, wrong)


def _result(submitted: float, began: float, closed: float, wrong: list[str]) -> dict:
    return {"wall": closed - submitted, "start_up": began - submitted, "wrong": wrong}


def _child(system: str, folder: str, count: int, seconds: float) -> dict:
    command = [sys.executable, "-m", "benchmarks.speed.peer", "--system", system, "--folder", folder]
    command += ["--units", str(count), "--seconds", str(seconds)]
    # Workers are started with the project's interpreter, which lacks the packages of `--with`.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        sys.exit(f"{system} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def _compare(title: str, count: int, seconds: float, rounds: int) -> list[str]:
    best: dict[str, Any] = {}
    wrong: list[str] = []
    for _ in range(rounds):
        for system in SYSTEMS:
            with tempfile.TemporaryDirectory(prefix="synfiqa-bench-") as folder:
                result = _child(system, f"{folder}/run", count, seconds)
            wrong += result["wrong"]
            if system not in best or result["wall"] < best[system]["wall"]:
                best[system] = result
    print(f"{title}: {count} units of {ROWS} images, 3 stages, best of {rounds}")
    for system in SYSTEMS:
        wall, start_up = best[system]["wall"], best[system]["start_up"]
        flow = wall - start_up
        print(
            f"  {system}  wall {wall:7.1f} s  start-up {start_up:6.1f} s  flow {flow:7.1f} s  "
            f"{count * ROWS / flow:8.0f} images/s of flow",
            flush=True,
        )
    ours, peer = best["ours"], best["peer"]
    ratio = ours["wall"] / peer["wall"]
    flow = (ours["wall"] - ours["start_up"]) / (peer["wall"] - peer["start_up"])
    verdict = "met" if ratio <= 1 else "MISSED"
    print(f"  ours / peer: wall {ratio:.3f}, flow {flow:.3f}; bar 1.0: {verdict}", flush=True)
    return wrong


def main() -> None:
    """Run both workloads on both systems."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--units", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=0.3, help="sleep of the bottleneck stage a unit")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--system", choices=SYSTEMS, help="run one system alone in --folder, and print JSON")
    parser.add_argument("--folder")
    options = parser.parse_args()
    # So that the workers of both run at the same priority, not the peer's at Ray's low one.
    prepare_environment()
    if options.system:
        run = {"ours": run_ours, "peer": run_peer}[options.system]
        print(json.dumps(run(options.folder, options.units, options.seconds)))
        return
    if importlib.util.find_spec("cosmos_xenna") is None:
        sys.exit("the peer is not installed: uv run --with cosmos-xenna==0.5.12 python -m benchmarks.speed.peer")
    wrong = _compare("sleeping stages", options.units, options.seconds, options.rounds)
    wrong += _compare("stages that compute almost nothing", 2 * options.units, 0.0, options.rounds)
    print("\n".join(wrong) or f"counts exact on both, 0 lost, 0 doubled ({os.cpu_count()} cores)")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
