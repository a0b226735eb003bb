"""Runs a Ray Train fit while the driver looks at its workers: waits are written about, bounded, and interruptible."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from synfiqa.cluster.pipeline.stage import Resources
from synfiqa.cluster.pipeline.waits import Look, Waits
from synfiqa.cluster.ray_cluster.nodes import alive_nodes
from synfiqa.cluster.ray_cluster.worker_states import WorkerStates, alive_actors, end_actors
from synfiqa.schemas.config.cluster import ResilienceSection
from synfiqa.schemas.config.learn import TrainSection

LOOK_S = 5.0
"""Seconds between two looks."""
_END_S = 10.0


@dataclass(frozen=True)
class TrainingWorkers:
    """The workers of a training as a pool."""

    name: str
    size: int
    resources: Resources
    labels: Mapping[str, str] = field(default_factory=dict)


class WorkerWait:
    """The wait of a training for its workers, which Ray Train itself neither ends nor mentions."""

    def __init__(self, section: TrainSection, wait_s: float) -> None:
        gpus = 1.0 if section.use_gpu else 0.0
        self._workers = TrainingWorkers(f"training '{section.name}'", section.workers, Resources(1.0 - gpus, gpus))
        limits = ResilienceSection(placement_wait_s=wait_s)
        self._waits = Waits([self._workers], alive_nodes(), limits, lambda _: False)
        self._looks = 0

    def look(self) -> None:
        """Write what is due; JobFailed when the training has been without workers for too long."""
        running = min(alive_actors("RayTrainWorker"), self._workers.size)
        states = WorkerStates(running=running, waiting=self._workers.size - running)
        # The progress of an epoch is judged by Ray Train.
        self._looks += 1
        self._waits.look(Look({self._workers.name: states}, alive_nodes(), self._looks))


def fit_supervised[T](fit: Callable[[], T], look: Callable[[], None], look_s: float | None = None) -> T:
    """Return what `fit` returns; it runs in a thread of its own while this one calls `look`.

    Whatever `look` raises ends the training, and so does a signal: Ray Train's own handler of Ctrl-C, which only the
    main thread can have, would end in a traceback.
    """
    outcome: list[T] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            outcome.append(fit())
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=run, name="ray-train-fit", daemon=True)
    thread.start()
    try:
        while thread.is_alive():
            thread.join(LOOK_S if look_s is None else look_s)
            if thread.is_alive():
                look()
    except BaseException:
        end_actors("TrainController")
        thread.join(_END_S)
        raise
    if failure:
        raise failure[0]
    return outcome[0]
