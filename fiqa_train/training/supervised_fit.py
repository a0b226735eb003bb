"""Runs a Ray Train fit while the driver looks at its workers: waits are written about, bounded, and interruptible."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from synfiqa.cluster.pipeline.stage import Resources
from synfiqa.cluster.pipeline.waits import Look, Waits
from synfiqa.cluster.ray_cluster.nodes import alive_nodes
from synfiqa.cluster.ray_cluster.worker_states import WorkerStates, alive_actors, end_actors
from synfiqa.schemas.config.cluster import ResilienceSection
from synfiqa.schemas.config.train_config import TrainSection

LOOK_S = 5.0
"""Seconds between two looks."""
_END_S = 10.0
SAVE_S = 60.0
"""Seconds that an interrupted training has to store its state, before its workers are ended."""


@dataclass(frozen=True)
class TrainingWorkers:
    """The workers of a training as a pool."""

    name: str
    size: int
    resources: Resources
    labels: Mapping[str, str] = field(default_factory=dict)


class WorkerWait:
    """The wait of a training for its workers, which Ray Train itself neither ends nor mentions."""

    def __init__(self, section: TrainSection, wait_s: float, threads: int = 1) -> None:
        resources = Resources(0.0, 1.0) if section.use_gpu else Resources(float(threads), 0.0)
        self._workers = TrainingWorkers(f"training '{section.name}'", section.workers, resources)
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


def fit_supervised[T](
    fit: Callable[[], T],
    look: Callable[[], None],
    look_s: float | None = None,
    ask_to_stop: Callable[[], None] | None = None,
    save_s: float = SAVE_S,
) -> T:
    """Return what `fit` returns; it runs in a thread of its own while this one calls `look`.

    Whatever `look` raises ends the training, and so does a signal: Ray Train's own handler of Ctrl-C, which only the
    main thread can have, would end in a traceback. After a signal `ask_to_stop` is called, and the training has
    `save_s` seconds to store its state.
    """
    outcome: list[T] = []
    failure: list[BaseException] = []
    # Not `Thread.join`, which takes a running thread for ended when a signal interrupts it (Python 3.12).
    ended = threading.Event()

    def run() -> None:
        try:
            outcome.append(fit())
        except BaseException as error:
            failure.append(error)
        finally:
            ended.set()

    threading.Thread(target=run, name="ray-train-fit", daemon=True).start()
    try:
        while not ended.wait(LOOK_S if look_s is None else look_s):
            look()
    except BaseException as error:
        # Ctrl-C and SIGTERM are no Exceptions.
        if ask_to_stop is not None and not isinstance(error, Exception):
            ask_to_stop()
            ended.wait(save_s)
        if not ended.is_set():
            end_actors("TrainController")
            ended.wait(_END_S)
        raise
    if failure:
        raise failure[0]
    return outcome[0]
