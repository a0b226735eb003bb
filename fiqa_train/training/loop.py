"""The training loop: regression onto quality labels, resumable after each epoch."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from synfiqa.actors.model_store.cache import locate
from synfiqa.actors.model_store.catalogue import Model
from synfiqa.actors.model_store.checks.network_cost import gflop
from synfiqa.actors.model_store.loading import load_network
from synfiqa.actors.nets.quality_net import ARCHITECTURE, BLOCKS, INPUT_SIZE, QualityNet, initialise_from
from synfiqa.actors.nets.small_iresnet import SmallIResNet
from synfiqa.actors.quality.correlation import spearman
from synfiqa.cluster.run.lease import Claim
from synfiqa.cluster.storage.storage import Storage
from synfiqa.fiqa_train.labels.parts import LabelledShard
from synfiqa.fiqa_train.training.augment import augment
from synfiqa.fiqa_train.training.data import TrainingFaces, read_all
from synfiqa.fiqa_train.training.losses import quality_loss
from synfiqa.fiqa_train.training.score_scale import score_scale
from synfiqa.schemas.config.learn import TrainSection
from synfiqa.schemas.errors import JobFailed, UserError
from synfiqa.schemas.seeds import derive_seed

WARM_UP = 0.1
"""Share of all steps in which the learning rate rises linearly, before a cosine decay."""
CLIP_NORM = 5.0
"""Largest norm of the gradient."""
VALIDATION_ROWS = 4096
"""Largest number of validation faces scored after an epoch."""
SCALE_ORIGIN = "degraded samples of validation identities, scored after the best epoch"


@dataclass(frozen=True)
class TrainTask:
    """Inputs of one worker of a training.

    `identities` counts them by split; `claim` is the driver's hold on the run, None without a lease; `wait_s` bounds
    the wait for workers.
    """

    url: str
    shards: Sequence[LabelledShard]
    train: frozenset[int]
    validation: frozenset[int]
    identities: dict[str, int]
    rows: int
    section: TrainSection
    embedder: Model
    seed: int
    card: dict[str, Any]
    claim: Claim | None = None
    wait_s: float = 3600.0

    def require_held(self) -> None:
        """Raise RunHeld when another driver has taken the run over."""
        if self.claim is not None:
            self.claim.check()


class Session(Protocol):
    """Environment of one worker: rank, CPU threads, device, checkpoints and reports of epochs."""

    rank: int
    world: int
    threads: int
    device: torch.device

    def prepare(self, network: nn.Module) -> nn.Module:
        """Return the network on the device, its gradients averaged over all workers."""
        ...

    def restore(self) -> dict[str, Any] | None:
        """Return the state after the last finished epoch of an earlier attempt, if there is one."""
        ...

    def report(self, metrics: dict[str, float], state: Callable[[], dict[str, Any]]) -> None:
        """Record a finished epoch; rank 0 also stores `state()` to resume from."""
        ...


def trunk_of(section: TrainSection, embedder: Model) -> dict[str, Any]:
    """Return widths and blocks of the trunk: of the embedder that initialises it, else of the config."""
    if section.initialise == "random":
        return {"widths": [section.width * factor for factor in (1, 2, 4, 6)], "blocks": list(BLOCKS)}
    arguments = embedder.card.arguments
    gray = embedder.card.role == "embedder" and arguments.get("in_channels", 1) == 1
    if not gray or not {"widths", "blocks"} <= arguments.keys():
        raise UserError(
            f"training cannot start from {embedder.name}, whose input or trunk differs: set train.initialise=random"
        )
    return {"widths": list(arguments["widths"]), "blocks": list(arguments["blocks"])}


def build_network(section: TrainSection, embedder: Model, seed: int) -> QualityNet:
    """Return the untrained network, its random part fixed by the seed."""
    torch.manual_seed(derive_seed(seed, "train", "weights"))
    network = QualityNet(**trunk_of(section, embedder))
    if section.initialise == "embedder":
        source = load_network(embedder.card, locate(embedder))
        assert isinstance(source, SmallIResNet), "trunk_of accepts no other network"
        initialise_from(network, source)
    return network


def fit(task: TrainTask, session: Session) -> None:
    """Train to the last epoch and report each; resumes after the last epoch reported by an earlier attempt.

    An epoch depends on the state before it and on the seed alone, so an interrupted training ends with the same
    weights as one that ran through (same number of workers and threads, same kind of device).
    """
    torch.set_num_threads(session.threads)
    storage, section = Storage(task.url), task.section
    network = build_network(section, task.embedder, task.seed)
    state = session.restore() or {"epoch": 0, "history": [], "best": network.state_dict(), "best_epoch": 0}
    network.load_state_dict(state.get("model", network.state_dict()))
    model = session.prepare(network)
    optimiser = torch.optim.AdamW(model.parameters(), lr=section.learning_rate, weight_decay=section.weight_decay)
    if "optimiser" in state:
        optimiser.load_state_dict(state["optimiser"])
    faces = TrainingFaces(
        storage, task.shards, task.train, task.rows, section.batch_size, task.seed, session.rank, session.world
    )
    # Only rank 0 validates; the others wait for it in report().
    held_out = read_all(storage, task.shards, task.validation, VALIDATION_ROWS) if session.rank == 0 else None
    for epoch in range(state["epoch"], section.epochs):
        loss = _epoch(model, optimiser, faces, epoch, task, session)
        metrics: dict[str, float] = {"epoch": epoch + 1, "loss": loss}
        if held_out is not None:
            scores = predict(network, held_out.gray, session.device)
            _require_finite(scores, epoch)
            metrics["validation_spearman"] = spearman(scores, held_out.quality)
            metrics["validation_error"] = float(np.abs(scores - held_out.quality).mean())
            state = _advance(state, metrics, network, scores)

        def snapshot(state: dict[str, Any] = state) -> dict[str, Any]:
            return {**state, "model": _copy(network), "optimiser": optimiser.state_dict(), "card": task.card}

        session.report(metrics, snapshot)


def _require_finite(scores: np.ndarray, epoch: int) -> None:
    """Raise JobFailed where a validation score is NaN or infinite; the state of the epoch before stays stored."""
    if broken := int(np.count_nonzero(~np.isfinite(scores))):
        raise JobFailed(
            f"training diverged: {broken} of {len(scores)} validation scores after epoch {epoch + 1} are not finite; "
            "lower train.learning_rate under another train.name, the last finished epoch is kept"
        )


def _advance(
    state: dict[str, Any], metrics: dict[str, float], network: nn.Module, scores: np.ndarray
) -> dict[str, Any]:
    """Return the state after an epoch; `best` is this epoch unless an earlier one has a clearly higher correlation.

    `scores` are those of the validation faces; `best` keeps their scale.

    Clearly means by more than the standard error of the rank correlation over so many validation faces.
    """
    # Smaller differences are noise, and the decaying learning rate favours later epochs.
    history = [*state["history"], metrics]
    advanced = {**state, "epoch": int(metrics["epoch"]), "history": history}
    highest = max(entry["validation_spearman"] for entry in history)
    error = (1 - highest**2) / math.sqrt(max(1, len(scores) - 1))
    if metrics["validation_spearman"] >= highest - error:
        scale = score_scale(scores, SCALE_ORIGIN)
        document = None if scale is None else scale.model_dump(mode="json")
        advanced |= {"best": _copy(network), "best_epoch": int(metrics["epoch"]), "scale": document}
    return advanced


def _copy(network: nn.Module) -> dict[str, Tensor]:
    return {key: tensor.detach().cpu().clone() for key, tensor in network.state_dict().items()}


def _epoch(
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    faces: TrainingFaces,
    epoch: int,
    task: TrainTask,
    session: Session,
) -> float:
    faces.epoch = epoch
    seed = derive_seed(task.seed, "train", epoch, session.rank)
    torch.manual_seed(seed)  # dropout
    changes = torch.Generator().manual_seed(seed)
    model.train()
    total = 0.0
    for step, batch in enumerate(faces):
        for group in optimiser.param_groups:
            group["lr"] = task.section.learning_rate * schedule(
                epoch * faces.steps + step, task.section.epochs * faces.steps
            )
        gray = augment(torch.from_numpy(batch.gray).float(), changes).to(session.device)
        with torch.autocast(session.device.type, torch.bfloat16, enabled=task.section.precision == "bfloat16"):
            scores = model(gray)
        loss = quality_loss(scores, torch.from_numpy(batch.quality).to(session.device))
        if not torch.isfinite(loss):
            raise JobFailed(
                f"training diverged: the loss is {float(loss.detach()):g} in step {step + 1} of {faces.steps} of epoch "
                f"{epoch + 1}; lower train.learning_rate under another train.name, the last finished epoch is kept"
            )
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM)
        optimiser.step()
        total += float(loss.detach())
    return total / faces.steps


def schedule(step: int, steps: int) -> float:
    """Return the share of the learning rate at a step: a linear rise, then a cosine down to 0."""
    rise = max(1, round(WARM_UP * steps))
    if step < rise:
        return (step + 1) / rise
    return 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, steps - rise)))


@torch.inference_mode()
def predict(network: nn.Module, gray: np.ndarray, device: torch.device, batch: int = 64) -> np.ndarray:
    """Return scores float32 (N,) of luma uint8 (N, 112, 112)."""
    network.eval()
    parts = [
        network(torch.from_numpy(gray[start : start + batch]).float().to(device)).cpu().numpy()
        for start in range(0, len(gray), batch)
    ]
    return np.concatenate([*parts, np.empty(0, np.float32)])


def describe(
    section: TrainSection, embedder: Model, run_fingerprint: str, *, commercial_labels: bool = True
) -> dict[str, Any]:
    """Return the model card of the network to train, without the digest of its weights.

    `commercial_labels`: whether every model that made images and labels allows commercial use.
    """
    network = QualityNet(**trunk_of(section, embedder))
    start = f"the trunk of {embedder.name}" if section.initialise == "embedder" else "random weights"
    arithmetic = "" if section.precision == "float32" else f", forward passes in {section.precision}"
    return {
        "name": section.name,
        "role": "quality",
        "architecture": ARCHITECTURE,
        "arguments": network.arguments,
        "input_size": INPUT_SIZE,
        "channels": "gray",
        "value_range": None,
        "normalise": "per-image",
        "output": "quality score (N,), about 0..1 on the label's scale, unbounded",
        "higher_is_better": True,
        "licence": "that of the labels and of the initial weights",
        "commercial_use": commercial_labels and (section.initialise == "random" or embedder.card.commercial_use),
        "trained_on": f"synthetic faces of run {run_fingerprint[:16]}, started from {start}{arithmetic}",
        "command": "synfiqa train",
        "cost_gflop": round(gflop(network, torch.zeros(1, INPUT_SIZE, INPUT_SIZE)), 4),
    }
