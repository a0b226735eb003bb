"""The stub work on plain Ray Data: three `map_batches` over actor pools that Ray Data sizes by itself."""

import pickle
import time
from pathlib import Path
from typing import Any

import ray
import ray.data

from benchmarks.speed.peers.plain_work import result_of, work
from benchmarks.speed.peers.scenarios import NODE_CPUS, STAGES, Scenario
from synfiqa.cluster.pipeline.ray_session import quiet_ray


class _DataStage:
    """A stub stage; a unit is one row, its dict pickled as one would who cares for the table inside."""

    def __init__(self, stage: str, scenario: Scenario, folder: str) -> None:
        self._stage, self._scenario, self._folder = stage, scenario, folder

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Work on the unit of the row."""
        unit = work(self._stage, self._scenario, self._folder, pickle.loads(batch["unit"][0]))
        return {"unit": [pickle.dumps(unit)]}


def run_ray_data(folder: str, scenario: Scenario) -> dict:
    """Run Ray Data with its own rules for sizes of pools."""
    Path(folder).mkdir()
    ray.init(address="auto", log_to_driver=False)
    quiet_ray()
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    submitted = time.time()
    rows = [{"unit": pickle.dumps({"number": number})} for number in range(scenario.units)]
    dataset = ray.data.from_items(rows, override_num_blocks=scenario.units)
    most = scenario.workers or (scenario.nodes + scenario.joins) * NODE_CPUS
    for stage in STAGES:
        dataset = dataset.map_batches(
            _DataStage,
            fn_constructor_args=(stage, scenario, folder),
            batch_size=1,
            num_cpus=1,
            compute=ray.data.ActorPoolStrategy(min_size=1, max_size=most),
        )
    done = [pickle.loads(row["unit"]) for row in dataset.iter_rows()]
    return result_of("Ray Data", scenario, folder, done, submitted, time.time())
