"""The stage contract: what a stage declares, what it receives, what it returns."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import ClassVar

import pyarrow as pa

from synfiqa.cluster.pipeline.attempts import NO_MARKS, Marks
from synfiqa.cluster.telemetry.spans import StageTrace
from synfiqa.schemas.manifest import DeadRow


@dataclass(frozen=True)
class Resources:
    """Share of one worker: CPU cores, and the fraction of a GPU it takes when the run uses GPUs."""

    cpus: float = 1.0
    gpus: float = 0.0


@dataclass(frozen=True)
class Work:
    """One unit of work on its way through the stages: a candidate unit or an output shard, always whole.

    `table` carries the rows, `plan` what the planner said of the unit, `counts` its outcomes so far, `busy` the
    seconds each stage worked on it, `traces` when and where it did, `dead` the rows that could not be made, `notes`
    what its commit should remember.
    """

    kind: str
    number: int
    table: pa.Table
    plan: dict = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    busy: dict[str, float] = field(default_factory=dict)
    dead: tuple[DeadRow, ...] = ()
    notes: dict[str, str] = field(default_factory=dict)
    traces: dict[str, StageTrace] = field(default_factory=dict)


class Stage(ABC):
    """One step over whole units. Instances are built on the driver and pickled to the workers.

    In a worker `setup_on_node` runs first, once a node, then `setup`, once a process, `process` for each unit, and
    `close` when the process ends normally.

    `process` must depend on its argument alone: seeds come from the rows, micro-batches are cut inside the unit, so
    that worker count and order of arrival never change a byte (promise 1). Model calls go through
    `synfiqa.cluster.pipeline.salvage.Salvage`, so that an error costs a row; an exception that leaves `process` costs
    the whole unit.
    """

    name: ClassVar[str]
    resources: ClassVar[Resources] = Resources()
    pace: ClassVar[float] = 1.0
    """Seconds a unit over those of the slowest stage: how many workers it gets until both are measured."""
    batch_size: int = 1
    """Rows per model call, cut inside the unit."""
    models: tuple[str, ...] = ()
    """Names of the models that `setup` loads."""
    marks: Marks = NO_MARKS
    """Records model calls while a unit is made again after it killed its process; set by the worker."""

    def setup_on_node(self) -> None:
        """Prepare the node, such as its cache of weights; runs in one process of each node, before any `setup` there.

        It must be idempotent: a node that lost its record of it, or whose process died meanwhile, runs it again.
        """
        return

    def setup(self) -> None:
        """Load models; called once in the worker process before the first unit."""
        return

    def close(self) -> None:
        """Release what `setup` took; called when a worker ends normally, never after a crash or a forced end."""
        return

    @abstractmethod
    def process(self, work: Work) -> Work:
        """Return the unit with this stage's columns filled in."""
