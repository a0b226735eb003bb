"""The stub work on our job system: real commits, exactly once, and a run that could resume."""

import time

from benchmarks.speed.cluster.stub_stages import Flow, Maker, Passer, Writer, run_folder, units, wrong_counts
from benchmarks.speed.peers.scenarios import PAYLOAD, ROWS, Scenario
from synfiqa.cluster.pipeline.ray_session import ray_session
from synfiqa.cluster.pipeline.stage import Resources, Work
from synfiqa.cluster.pipeline.stream import stream
from synfiqa.schemas.config.cluster import PlacementSection


class _Maker(Maker):
    resources = Resources(cpus=1)

    def __init__(self, scenario: Scenario) -> None:
        super().__init__(scenario.seconds[0])


class _Passer(Passer):
    resources = Resources(cpus=1)

    def __init__(self, scenario: Scenario) -> None:
        super().__init__()
        self._scenario = scenario

    def process(self, work: Work) -> Work:
        return self._sleep(work, self._scenario.sleep("passer", work.number), time.time())


class _Writer(Writer):
    resources = Resources(cpus=1)


def run_ours(folder: str, scenario: Scenario) -> dict:
    """Run the stages as a job would; return wall seconds, start-up seconds and wrong counts as sentences."""
    store = run_folder(folder)
    stages = [
        _Maker(scenario),
        _Passer(scenario),
        _Writer(store.storage, store.fingerprint, store.format, scenario.seconds[2]),
    ]
    placement = PlacementSection(mode="split", workers=scenario.workers)
    with ray_session():
        flow = Flow(time.time())
        for result in stream(stages, list(units(scenario.units, ROWS, PAYLOAD)), store.storage, placement):
            flow.arrived(result)
        closed = time.time()
    return {
        "wall": closed - flow.submitted,
        "start_up": flow.began("maker")[0] - flow.submitted,
        "wrong": wrong_counts(store, flow, scenario.units, ROWS),
    }
