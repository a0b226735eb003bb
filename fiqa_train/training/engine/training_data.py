"""What a training reads on one worker: batches, what it validates on, and its teacher."""

from collections.abc import Iterator
from typing import Protocol

import numpy as np

from synfiqa.actors.nets.fiqa.table import DSL_SIZES
from synfiqa.fiqa_train.training.dsl.portrait_reader import PortraitReader
from synfiqa.fiqa_train.training.dsl.portrait_set import PortraitData, require_split
from synfiqa.fiqa_train.training.dsl.target_scale import TargetScale
from synfiqa.fiqa_train.training.engine.portrait_validation import PortraitValidation
from synfiqa.fiqa_train.training.engine.session import Session
from synfiqa.fiqa_train.training.engine.validation import Validation
from synfiqa.fiqa_train.training.engine.worker_task import Scores, TrainTask
from synfiqa.fiqa_train.training.methods.objective import Objective
from synfiqa.fiqa_train.training.reading.batch import Batch
from synfiqa.fiqa_train.training.reading.reader import TrainingReader


class Reader(Protocol):
    """Batches of one rank by epoch and step."""

    waited_s: float

    @property
    def classes(self) -> int:
        """Number of identities that are classes."""

    def steps(self, epoch: int) -> int:
        """Return the number of batches of an epoch."""

    def batches(self, epoch: int, first_step: int = 0) -> Iterator[Batch]:
        """Yield the batches of an epoch from a step on."""

    def close(self) -> None:
        """End the threads."""


class Validates(Protocol):
    """Measures a network in training on held-out images."""

    def measure(self, objective: Objective, where: str) -> tuple[dict[str, float], np.ndarray]:
        """Return the metrics of the network, and its scores of the images."""


def open_faces(task: TrainTask, session: Session, *, gray: bool) -> tuple[Reader, Validates | None, Scores | None]:
    """Return reader, validation and teacher of a training on aligned faces; rank 0 alone validates."""
    section = task.section
    # The others wait for rank 0 at the next step.
    held_out = task.held_out() if session.rank == 0 or task.teacher else None
    teacher = task.teacher.scaled(held_out[0]) if task.teacher and held_out else None
    reader = TrainingReader(
        task.sources,
        # A teacher sees colours.
        channels="gray" if gray and teacher is None else "rgb",
        batch_size=section.batch_size,
        seed=task.seed,
        rank=session.rank,
        world=session.world,
        augment=section.augment,
        threads=section.readers,
        pinned=session.device.type == "cuda",
    )
    if session.rank != 0 or held_out is None:
        return reader, None, teacher
    images, labels = held_out
    measures = {one.name: one.open() for one in task.watched}
    target = labels if teacher is None else np.asarray(teacher(images), np.float32)
    return reader, Validation(images, target, measures, gray=gray, device=session.device), teacher


def open_portraits(task: TrainTask, data: PortraitData, session: Session) -> tuple[Reader, Validates | None]:
    """Return reader and validation of a training on portraits; UserError, before any step, for those it cannot use."""
    section, side = task.section, DSL_SIZES[task.section.network]
    portraits = data.train.open()
    require_split(portraits, "the training split")
    unlabelled = portraits if data.unlabelled is None else data.unlabelled.open()
    reader = PortraitReader(portraits, unlabelled, section, side, task.seed, rank=session.rank, world=session.world)
    if session.rank != 0:
        return reader, None
    held_out = data.validation.open()
    require_split(held_out, "the validation split")
    scale = TargetScale(portraits.scores, section.dsl.target)
    return reader, PortraitValidation(held_out, scale, side, session.device)
