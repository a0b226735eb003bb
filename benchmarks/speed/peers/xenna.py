"""The stub work on cosmos-xenna; importable only where that is installed."""

import time
from pathlib import Path

from cosmos_xenna.pipelines import v1
from cosmos_xenna.ray_utils.cluster import init_or_connect_to_cluster

from benchmarks.speed.peers.plain_work import Unit, result_of, work
from benchmarks.speed.peers.scenarios import STAGES, Scenario

RESCALE_S = 10.0
"""Seconds between two decisions of its autoscaler, whose default of three minutes is longer than these runs."""


class _XennaStage(v1.Stage):
    """A stub stage; units travel as dicts around the same Arrow tables."""

    def __init__(self, stage: str, scenario: Scenario, folder: str) -> None:
        self._stage, self._scenario, self._folder = stage, scenario, folder

    @property
    def required_resources(self) -> v1.Resources:
        """One CPU a worker, or less where three stages share what the peer allocates of one node."""
        return v1.Resources(cpus=1.0)

    def process_data(self, in_data: list) -> list:
        """Work on each unit."""
        return [work(self._stage, self._scenario, self._folder, unit) for unit in in_data]


def run_xenna(folder: str, scenario: Scenario) -> dict:
    """Run its streaming executor over the stub work."""
    Path(folder).mkdir()
    init_or_connect_to_cluster(log_to_driver=False)
    quiet = v1.VerbosityLevel.NONE
    config = v1.PipelineConfig(
        return_last_stage_outputs=True,
        actor_pool_verbosity_level=quiet,
        monitoring_verbosity_level=quiet,
        cpu_allocation_percentage=1.0,
        mode_specific=v1.StreamingSpecificSpec(
            executor_verbosity_level=quiet,
            autoscale_interval_s=RESCALE_S,
            autoscale_speed_estimation_window_duration_s=2 * RESCALE_S,
        ),
    )
    stages = [
        v1.StageSpec(_XennaStage(stage, scenario, folder), num_workers=scenario.workers or None) for stage in STAGES
    ]
    units: list[Unit] = [{"number": number} for number in range(scenario.units)]
    submitted = time.time()
    done = v1.run_pipeline(v1.PipelineSpec(input_data=units, stages=stages, config=config)) or []
    return result_of("cosmos-xenna", scenario, folder, done, submitted, time.time())
