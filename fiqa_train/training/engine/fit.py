"""The training loop of one worker: resumable after any stored step."""

import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from synfiqa.actors.nets.fiqa.table import TRAINABLE
from synfiqa.cluster.storage.storage import redact
from synfiqa.cluster.telemetry.run_metrics import training_went_on
from synfiqa.fiqa_train.training.engine.build_network import build_network
from synfiqa.fiqa_train.training.engine.divergence import LossWatch
from synfiqa.fiqa_train.training.engine.optimiser import clip, optimiser_of, set_step_size
from synfiqa.fiqa_train.training.engine.session import Session
from synfiqa.fiqa_train.training.engine.step_size import share
from synfiqa.fiqa_train.training.engine.training_data import open_faces, open_portraits
from synfiqa.fiqa_train.training.engine.validation import copied, with_best
from synfiqa.fiqa_train.training.engine.worker_task import TrainTask
from synfiqa.fiqa_train.training.methods.objective import Objective
from synfiqa.fiqa_train.training.methods.sampled_classes import SampledClasses
from synfiqa.fiqa_train.training.methods.table import build_objective
from synfiqa.fiqa_train.training.reading.batch import Batch
from synfiqa.schemas.evaluation import Epoch
from synfiqa.schemas.seeds import derive_seed

HISTORY_FIELDS = tuple(Epoch.model_fields)
"""Metrics that the record of a finished training has of each epoch; others stand in its log."""
SHOW_S = 5.0
"""Seconds between two lines of progress."""


def fit(task: TrainTask, session: Session) -> None:
    """Train to the last epoch; resumes after the newest state that an earlier attempt stored.

    A step depends on the state before it and on the seed alone, so an interrupted training ends with the same weights
    as one that ran through (same number of workers and threads, same kind of device). Returns early, with the state
    stored, when the session stops.
    """
    torch.set_num_threads(session.threads)
    training = Training(task, session)
    try:
        training.run()
    finally:
        training.close()


class Training:
    """A training in progress on one worker."""

    def __init__(self, task: TrainTask, session: Session) -> None:
        self.task, self.session, section = task, session, task.section
        kind = TRAINABLE[section.network]
        self._gray = kind.channels == "gray"
        if task.portraits is None:
            self.reader, self.validation, teacher = open_faces(task, session, gray=self._gray)
        else:
            self.reader, self.validation, teacher = *open_portraits(task, task.portraits, session), None
        self.before = section.dsl.encoder_epochs if task.portraits else 0
        network = build_network(section, task.initial, task.seed)
        self.objective: Objective = build_objective(
            section, network, kind.normalise, self.reader.classes, task.seed, gray=self._gray, teacher=teacher
        )
        self.state = session.restore() or first_state(network)
        if "model" in self.state:
            network.load_state_dict(self.state["model"])
        if "beside" in self.state:
            self.objective.beside.load_state_dict(self.state["beside"])
        self.model = session.prepare(self.objective)
        self.optimiser = optimiser_of(section, self.objective)
        if "optimiser" in self.state:
            self.optimiser.load_state_dict(self.state["optimiser"])
        self.scaler = torch.amp.GradScaler(session.device.type, enabled=section.precision == "float16")
        if "scaler" in self.state:
            self.scaler.load_state_dict(self.state["scaler"])
        self.average = self._average()
        self.steps = [self.reader.steps(epoch) for epoch in range(self.before + section.epochs)]
        self.losses = LossWatch(session.device, self.state["loss_sum"])

    def close(self) -> None:
        """End the threads that read."""
        self.reader.close()

    def run(self) -> None:
        """Train epoch after epoch."""
        for epoch in range(self.state["epoch"], len(self.steps)):
            if not self._epoch(epoch):
                return

    def _epoch(self, epoch: int) -> bool:
        """Train an epoch from the step that the state names; return False when the session stops."""
        section, steps = self.task.section, self.steps[epoch]
        self.objective.at_epoch(epoch)
        before, first = sum(self.steps[:epoch]), self.state["step"]
        clock = _Clock(self, before + first)
        for step, batch in enumerate(self.reader.batches(epoch, first), first):
            done = before + step
            set_step_size(self.optimiser, self._step_size(epoch, done))
            torch.manual_seed(derive_seed(self.task.seed, "train", epoch, step, self.session.rank))  # dropout
            self.losses.add(self._step(batch), epoch, step, steps)
            done, last = done + 1, step + 1 == steps
            self._log(done, epoch, step)
            clock.show(done, epoch)
            if last:
                break
            due = section.watch.every_steps and done % section.watch.every_steps == 0
            stored = section.checkpoint_steps and done % section.checkpoint_steps == 0
            stops = self.session.stops()
            if due or stored or stops:
                self.losses.check()
                self.state = {**self.state, "step": step + 1}
                metrics = self._measure(done, epoch + (step + 1) / steps) if due else {}
                if stored or stops or due:
                    self._store({"epoch": epoch + (step + 1) / steps, **metrics})
                if stops:
                    return False
        clock.record(before + steps)
        self._end_epoch(epoch, before + steps)
        return True

    def _end_epoch(self, epoch: int, done: int) -> None:
        self.losses.check()
        metrics = {"epoch": epoch + 1, "loss": self.losses.mean(self.steps[epoch])}
        metrics |= self._measure(done, epoch + 1)
        self.losses.restart()
        listed = self.validation and epoch >= self.before
        entry = {key: metrics[key] for key in HISTORY_FIELDS if key in metrics} | {"epoch": epoch + 1 - self.before}
        history = [*self.state["history"], entry] if listed else self.state["history"]
        self.state = {**self.state, "epoch": epoch + 1, "step": 0, "history": history}
        self._store(metrics)

    def _step(self, batch: Batch) -> Tensor:
        """Take one step of the optimiser and return the loss, detached."""
        section, device = self.task.section, self.session.device
        self.model.train()
        self.optimiser.zero_grad()
        rows, total = len(batch.quality), torch.zeros((), device=device)
        parts = [part for part in torch.arange(rows).tensor_split(min(section.accumulate, rows // 2 or 1)) if len(part)]
        for index, part in enumerate(parts):
            cut = slice(int(part[0]), int(part[-1]) + 1)
            with self._no_sync(index + 1 < len(parts)), self._autocast():
                loss = self.model(*batch.inputs(cut, device))["loss"]
                loss = loss * (len(part) / rows)
            self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
            total += loss.detach()
        self.scaler.unscale_(self.optimiser)
        clip(self.objective.network, section.clip_norm)
        scale = self.scaler.get_scale()
        self.scaler.step(self.optimiser)
        for beside in self.objective.beside.values():
            if isinstance(beside, SampledClasses):
                beside.step(self._rate(), section.momentum, section.weight_decay, 1 / scale)
        self.scaler.update()
        if self.average is not None:
            self.average.update_parameters(self.objective.network)
        return total

    def _step_size(self, epoch: int, done: int) -> float:
        """Return the step size of a step, counted over both stages where there are two; each has its own course."""
        section, before = self.task.section, sum(self.steps[: self.before])
        if epoch < self.before:
            return section.dsl.encoder_rate * share(section, done, before)
        return section.learning_rate * share(section, done - before, sum(self.steps) - before)

    def _no_sync(self, apart: bool) -> AbstractContextManager[Any]:
        """Return a context in which gradients of several workers stay apart until the last part of a batch."""
        quiet: Callable[[], AbstractContextManager[Any]] | None = getattr(self.model, "no_sync", None)
        return quiet() if apart and quiet is not None else nullcontext()

    def _autocast(self) -> torch.autocast:
        precision = self.task.section.precision
        kind = torch.float16 if precision == "float16" else torch.bfloat16
        return torch.autocast(self.session.device.type, kind, enabled=precision != "float32")

    def _average(self) -> AveragedModel | None:
        decay = self.task.section.ema
        if not decay:
            return None
        average = AveragedModel(self.objective.network, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)
        if "average" in self.state:
            average.load_state_dict(self.state["average"])
        return average

    @property
    def kept(self) -> nn.Module:
        """Return the network whose weights are validated and published: the moving average where there is one."""
        return self.objective.network if self.average is None else self.average.module

    def _measure(self, done: int, epoch: float) -> dict[str, float]:
        """Validate on rank 0, keep the weights if they are the best, and return the metrics."""
        if self.validation is None or epoch <= self.before:
            return {}
        epoch -= self.before
        network, self.objective.network = self.objective.network, self.kept
        try:
            metrics, scores = self.validation.measure(self.objective, f"step {done} (epoch {math.ceil(epoch)})")
        finally:
            self.objective.network = network
        entry = {"epoch": epoch, "step": done, **metrics}
        self.state = with_best(self.state, entry, self.kept, scores, self.task.section.watch.best_by)
        return metrics

    def _log(self, done: int, epoch: int, step: int) -> None:
        section = self.task.section
        if self.session.rank or done % section.watch.log_steps:
            return
        first = epoch < self.before
        line = {"step": done, "epoch": epoch + 1 - (0 if first else self.before), "learning_rate": self._rate()}
        line["encoder_loss" if first else "loss"] = self.losses.recent()
        self.state = {**self.state, "log": [*self.state["log"], line]}

    def _rate(self) -> float:
        return float(self.optimiser.param_groups[0]["lr"])

    def _store(self, metrics: dict[str, float]) -> None:
        # On all workers, since each may hold a part of the class centres.
        beside = copied(self.objective.beside)

        def snapshot() -> dict[str, Any]:
            found = {
                **self.state,
                "loss_sum": self.losses.state(),
                "model": copied(self.objective.network),
                "beside": beside,
                "optimiser": self.optimiser.state_dict(),
                "scaler": self.scaler.state_dict(),
                "card": self.task.card,
            }
            if self.average is not None:
                found["average"] = copied(self.average)
            return found

        self.session.report(metrics, snapshot)


class _Clock:
    """Pace of an attempt, shown every few seconds."""

    def __init__(self, training: Training, done: int) -> None:
        self._training, self._first, self._begun = training, done, time.monotonic()
        self._waited, self._shown = training.reader.waited_s, self._begun
        self._recorded = (done, self._begun, self._waited)

    def show(self, done: int, epoch: int) -> None:
        """Show steps done, images per second, share of the time in which the step waited for data, and the ETA."""
        training, now = self._training, time.monotonic()
        if training.session.rank or now - self._shown < SHOW_S:
            return
        self.record(done)
        self._shown, spent = now, now - self._begun
        pace = (done - self._first) / spent
        total = sum(training.steps)
        training.session.show(
            {
                "step": done,
                "steps": total,
                "epoch": epoch + 1,
                "loss": training.losses.recent(),
                "images_per_s": pace * training.task.section.batch_size,
                "waiting": (training.reader.waited_s - self._waited) / spent,
                "eta_s": (total - done) / pace,
            }
        )

    def record(self, done: int) -> None:
        """Record steps, images and seconds since the last call as metrics, of rank 0."""
        training, task, now = self._training, self._training.task, time.monotonic()
        before, since, waited = self._recorded
        steps = done - before
        if training.session.rank or not steps:
            return
        self._recorded = (done, now, training.reader.waited_s)
        training_went_on(
            redact(task.url),
            task.section.name,
            steps=steps,
            images=steps * task.section.batch_size,
            seconds=now - since,
            waited_s=training.reader.waited_s - waited,
            loss=training.losses.recent(),
        )


def first_state(network: nn.Module) -> dict[str, Any]:
    """Return the state of a training before its first step."""
    return {
        "epoch": 0,
        "step": 0,
        "history": [],
        "validations": [],
        "log": [],
        "loss_sum": 0.0,
        "best": copied(network),
        "best_epoch": 0,
    }
