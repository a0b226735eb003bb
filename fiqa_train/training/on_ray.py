"""Training on Ray Train: workers, their checkpoints in the run folder, failures, and progress."""

import json
import math
import os
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import ray.train
import ray.train.torch
import torch
import torch.distributed
from fsspec.core import url_to_fs
from pyarrow.fs import FSSpecHandler, PyFileSystem
from ray.train import Checkpoint, CheckpointConfig, FailureConfig, RunConfig, ScalingConfig
from ray.train.torch import TorchConfig, TorchTrainer
from torch import nn

from synfiqa.cluster.pipeline.ray_session import cluster_limits
from synfiqa.cluster.ray_cluster.nodes import alive_nodes
from synfiqa.cluster.run.events import keep_event
from synfiqa.cluster.storage.storage import Storage, redact
from synfiqa.cluster.telemetry.log_lines import bind, log_format, use
from synfiqa.fiqa_train.training.checkpoints import STATE, dump_state, model_folder, parse_state
from synfiqa.fiqa_train.training.engine.fit import fit
from synfiqa.fiqa_train.training.engine.worker_task import TrainTask
from synfiqa.fiqa_train.training.supervised_fit import WorkerWait, fit_supervised
from synfiqa.fiqa_train.training.watchers import Watcher, lines_of, watchers_of
from synfiqa.schemas.config.train_config import TrainSection
from synfiqa.schemas.errors import JobFailed, StorageRefused, StorageUnavailable, UserError

CHECKPOINTS = "checkpoints"
HISTORY = "history.json"
PROGRESS = "progress.json"
LOG = "log.jsonl"
"""Lines of the training: loss and step size every `watch.log_steps` steps, and every validation."""
STOP = "stop"
"""Object whose presence ends the workers after they have stored their state."""
STOP_POLL_S = 2.0
STOP_STEPS = 8
"""Steps between two agreements of several workers on whether to end."""
POLL_SECONDS = 1.0
MOST_THREADS = 8
"""Threads beyond which a small network gains nothing."""
START_TIMEOUT_S = 300
"""Seconds after which Ray Train tries once more to place its workers."""
Watch = Callable[[list[dict[str, float]], dict[str, float]], None]
"""Called with the metrics of all finished epochs and the newest progress, whenever one of them changes."""


class RaySession:
    """A worker's `Session` on Ray Train."""

    def __init__(self, task: TrainTask) -> None:
        context = ray.train.get_context()
        self.rank, self.world = context.get_world_rank(), context.get_world_size()
        self.threads = task.threads
        self.device = ray.train.torch.get_device()
        self._task, self._storage = task, Storage(task.url)
        self._folder = model_folder(task.section.name)
        self._steps, self._looked = 0, time.monotonic()
        self._watchers: Sequence[Watcher] = watchers_of(task.section, self._storage) if self.rank == 0 else ()

    def prepare(self, objective: nn.Module) -> nn.Module:
        """Return the objective on this worker's device, wrapped in DistributedDataParallel if there are several."""
        # A network may have parts that an objective does not use, such as the embedding of a regression.
        unused = {"find_unused_parameters": True} if self.world > 1 else None
        prepared: nn.Module = ray.train.torch.prepare_model(objective, parallel_strategy_kwargs=unused)
        return prepared

    def restore(self) -> dict[str, Any] | None:
        """Return the state of the latest checkpoint, None at the first start."""
        checkpoint = ray.train.get_checkpoint()
        return None if checkpoint is None else read_state(checkpoint)

    def report(self, metrics: dict[str, float], state: Callable[[], dict[str, Any]]) -> None:
        """Report a stored step; returns after the checkpoint of rank 0 is stored.

        Rank 0, which alone writes, raises RunHeld instead when another driver has taken the run over.
        """
        if self.rank != 0:
            ray.train.report(metrics)
            return
        self._task.require_held()
        kept = state()

        def upload(_: Checkpoint, name: str) -> Checkpoint:
            # Ray's own upload copies through pyarrow, which reports success when the last request is refused.
            self._storage.write(f"{self._folder}/{CHECKPOINTS}/{name}/{STATE}", dump_state(kept))
            place = _place(self._task.url, self._task.section.name)
            return Checkpoint(f"{place['storage_path']}/{CHECKPOINTS}/{name}", place.get("storage_filesystem"))

        with tempfile.TemporaryDirectory() as empty:
            ray.train.report(metrics, checkpoint=Checkpoint.from_directory(empty), checkpoint_upload_fn=upload)
        self._task.require_held()
        self._storage.write(f"{self._folder}/{LOG}", log_lines(kept))
        self._storage.write(f"{self._folder}/{HISTORY}", json.dumps(kept["history"]).encode())
        for watcher in self._watchers:
            watcher.stored(kept)

    def show(self, progress: dict[str, float]) -> None:
        """Write the progress where the driver reads it; a store that fails costs this line only."""
        with suppress(StorageRefused, StorageUnavailable, OSError):
            self._storage.write(f"{self._folder}/{PROGRESS}", json.dumps(progress).encode())

    def stops(self) -> bool:
        """Return whether the driver ends the training; several workers agree on it every few steps."""
        self._steps += 1
        if self.world == 1:
            return self._asked()
        if self._steps % STOP_STEPS:
            return False
        flag = torch.tensor([self.rank == 0 and self._asked()], dtype=torch.int32, device=self.device)
        torch.distributed.broadcast(flag, 0)
        return bool(flag.item())

    def _asked(self) -> bool:
        now = time.monotonic()
        if now - self._looked < STOP_POLL_S:
            return False
        self._looked = now
        with suppress(StorageRefused, StorageUnavailable, OSError):
            return self._storage.exists(f"{self._folder}/{STOP}")
        return False


def log_lines(state: dict[str, Any]) -> bytes:
    """Return the training log of a state as JSON lines in order of steps; it has no times, so that logs compare."""
    return "".join(f"{json.dumps(line, sort_keys=True)}\n" for line in lines_of(state)).encode()


class EndWhenTakenOver(ray.train.UserCallback):
    """Ends a training whose run another driver has taken over; Ray Train would restart its workers.

    Runs in the controller process of Ray Train.
    """

    def __init__(self, task: TrainTask) -> None:
        self._task = task

    def after_exception(self, run_context: Any, worker_exceptions: dict[int, Exception]) -> None:
        """Raise RunHeld, which ends the training, when another driver has taken the run over."""
        # An outage does not prove a takeover: `train.max_failures` then decides on a restart.
        with suppress(StorageRefused, StorageUnavailable, OSError):
            self._task.require_held()


def read_state(checkpoint: Checkpoint) -> dict[str, Any]:
    """Return the training state that a checkpoint holds."""
    with checkpoint.as_directory() as folder:
        return parse_state((Path(folder) / STATE).read_bytes())


def train_worker(config: dict[str, Any]) -> None:
    """Run the training loop in one Ray Train worker; a failure is kept in the run's `events/`."""
    task: TrainTask = config["task"]
    use(config["log"])
    bind(run=redact(task.url), unit=task.section.name, stage="train")
    try:
        fit(task, RaySession(task))
    except Exception as error:
        cause = f"{type(error).__name__}: {error}"
        keep_event(
            Storage(task.url), "training", cause, unit=task.section.name, stage="train", trace=traceback.format_exc()
        )
        raise


def require_workers(section: TrainSection) -> int:
    """Return the CPU threads of a worker; UserError when the cluster cannot hold the workers. Needs Ray initialised.

    Each takes a GPU with `train.use_gpu`, else a CPU for each of `train.threads`.
    """
    # Ray Train waits without limit and without a message for workers that cannot be placed.
    cpus, gpus = cluster_limits()
    threads = 1 if section.use_gpu else max(1, section.threads)
    unit, available = ("GPU", gpus) if section.use_gpu else ("CPU", cpus)
    if section.workers * threads <= available:
        return _threads_of(section)
    why = f"train.workers={section.workers}" + (" and train.use_gpu=true" if section.use_gpu else "")
    why += f" and train.threads={threads}" if threads > 1 else ""
    raise UserError(
        f"training needs {_count(section.workers * threads, unit)} ({why}) but the cluster has "
        f"{_count(available, unit)}: "
        f"{_remedy(section, math.floor(available))}a cluster with {'more' if available else 'some'}"
    )


def _threads_of(section: TrainSection) -> int:
    """Return the CPU threads of a worker: those of the config, else the CPUs at hand shared among the workers.

    At most 8 each, and 1 beside a GPU.
    """
    if section.threads or section.use_gpu:
        return max(1, section.threads)
    node = max((node.cpus for node in alive_nodes()), default=1.0)
    share = min(node, cluster_limits()[0] / section.workers)
    return max(1, min(MOST_THREADS, int(share)))


def train_on_ray(task: TrainTask, watch: Watch) -> dict[str, Any]:
    """Train on the initialised Ray, resuming from checkpoints in the run folder, and return the last state.

    Raises JobFailed, one sentence, when the training failed more often than `train.max_failures` allows or had no
    workers for longer than the task allows; RunHeld when it ended because another driver has taken the run over.
    """
    section = task.section
    callbacks: list[Any] = [EndWhenTakenOver(task)]
    _set_ray_train_defaults()
    trainer = TorchTrainer(
        train_worker,
        train_loop_config={"task": task, "log": log_format()},
        torch_config=TorchConfig(backend="nccl" if section.use_gpu else "gloo"),
        scaling_config=ScalingConfig(
            num_workers=section.workers,
            use_gpu=section.use_gpu,
            resources_per_worker={"GPU": 1} if section.use_gpu else {"CPU": task.threads},
        ),
        run_config=RunConfig(
            name=CHECKPOINTS,
            **_place(task.url, section.name),
            failure_config=FailureConfig(
                max_failures=section.max_failures,
                # The driver ends the wait for workers; this bounds it should the driver itself be gone.
                controller_failure_limit=math.ceil(task.wait_s / START_TIMEOUT_S) + 1,  # type: ignore[call-arg]
            ),
            checkpoint_config=CheckpointConfig(num_to_keep=section.checkpoints),
            callbacks=callbacks,
            # Threads that wait by spinning make a step eight times slower on a machine with other load.
            worker_runtime_env={"env_vars": {"GOMP_SPINCOUNT": "0"}},
        ),
    )
    stop, storage = threading.Event(), Storage(task.url)
    asked = f"{model_folder(section.name)}/{STOP}"
    for stale in (asked, f"{model_folder(section.name)}/{PROGRESS}"):
        storage.delete(stale)
    watcher = threading.Thread(target=_watch, args=(storage, section.name, watch, stop), daemon=True)
    watcher.start()
    try:
        wait = WorkerWait(section, task.wait_s, task.threads)
        result = fit_supervised(trainer.fit, wait.look, ask_to_stop=lambda: storage.write(asked, b""))
    except (ray.train.TrainingFailedError, ray.exceptions.RayError) as error:
        task.require_held()
        raise JobFailed(
            f"training '{section.name}' failed after {section.max_failures + 1} attempts ({_cause(error)}); "
            "remove the cause and run it again: it resumes from the last stored state"
        ) from error
    finally:
        stop.set()
        watcher.join()
    if result.checkpoint is None:
        raise JobFailed(f"training '{section.name}' ended without a checkpoint; run it again")
    return read_state(result.checkpoint)


def _count(amount: float, unit: str) -> str:
    return f"{amount:g} {unit}" + ("" if amount == 1 else "s")


def _remedy(section: TrainSection, available: int) -> str:
    if available:
        return f"use --set train.workers={available}, or "
    return "use --set train.use_gpu=false, or " if section.use_gpu else "use "


def _set_ray_train_defaults() -> None:
    """Set Ray Train's variables for small trainings on busy machines; those in the environment are kept."""
    # The controller polls its workers every 2 s by default, and a small training waits for several polls.
    os.environ.setdefault("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", "0.5")
    # On a busy machine a worker may start late without a failure.
    os.environ.setdefault("RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S", str(START_TIMEOUT_S))
    if "RAY_ADDRESS" not in os.environ:
        # On a single machine there are no nodes to be preempted, and the watcher is a process of its own.
        os.environ.setdefault("RAY_TRAIN_ENABLE_PREEMPTION_WATCHER", "0")


def _place(url: str, name: str) -> dict[str, Any]:
    storage = Storage(url)
    local = storage.local()
    if local is not None:
        return {"storage_path": str(local / model_folder(name))}
    filesystem, base = url_to_fs(storage.url, use_listings_cache=False)
    return {
        "storage_path": f"{base.rstrip('/')}/{model_folder(name)}",
        "storage_filesystem": PyFileSystem(FSSpecHandler(filesystem)),
    }


def _watch(storage: Storage, name: str, watch: Watch, stop: threading.Event) -> None:
    seen: tuple[int, dict[str, float]] = (0, {})
    while True:
        last = stop.wait(POLL_SECONDS)
        history, progress = read_history(storage, name), _read_progress(storage, name)
        if (len(history), progress) != seen and (history or progress):
            seen = (len(history), progress)
            watch(history, progress)
        if last:
            return


def _read_progress(storage: Storage, name: str) -> dict[str, float]:
    try:
        progress: dict[str, float] = json.loads(storage.read(f"{model_folder(name)}/{PROGRESS}"))
    except (FileNotFoundError, ValueError):
        return {}
    return progress


def read_history(storage: Storage, name: str) -> list[dict[str, float]]:
    """Return the metrics of the epochs that a training in progress has finished."""
    try:
        history: list[dict[str, float]] = json.loads(storage.read(f"{model_folder(name)}/{HISTORY}"))
    except (FileNotFoundError, ValueError):
        # Some stores list an object while it is being written; the next poll reads it whole.
        return []
    return history


def _cause(error: BaseException) -> str:
    """Return the innermost message of a failure that Ray reports, as one line."""
    failures = getattr(error, "worker_failures", None) or {}
    innermost: BaseException = next(iter(failures.values()), error)
    while innermost.__cause__ is not None:
        innermost = innermost.__cause__
    text = " ".join(str(innermost).split()) or type(innermost).__name__
    return text if len(text) <= 300 else text[:300] + " ..."
