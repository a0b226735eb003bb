"""What a config needs of a cluster: kinds of nodes, how many, and how large."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from synfiqa.actors.stages.stage_names import STAGES
from synfiqa.cluster.ray_cluster.autoscaler import nodes_text
from synfiqa.cluster.ray_cluster.nodes import Node
from synfiqa.jobs.workflows.deploy.calibration_file import MemoryCalibration
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.errors import UserError

NODES, CPUS, MEMORY_GIB, OBJECT_STORE_MB = 8, 8, 32, 4096
"""Size of a kind of node where neither config nor calibration states one."""
RESERVE_GIB = 4
"""Main memory of a node beside workers and object store: Ray, the system's caches, a second copy of a shard."""


@dataclass(frozen=True)
class NodeKind:
    """Nodes of one kind: the Ray labels that stages demand, and the size of each."""

    name: str
    labels: Mapping[str, str]
    stages: tuple[str, ...]
    gpus: int
    cpus: int
    memory_gib: int
    object_store_mb: int
    nodes: int
    why: tuple[str, ...] = field(default=())


def node_kinds(
    config: RunConfig, calibration: MemoryCalibration | None, nodes: int = 0, cpus: int = 0
) -> list[NodeKind]:
    """Return the kinds of nodes: one for each set of labels in `placement.labels`, and one for all other stages.

    `nodes` and `cpus` of each kind may be given. UserError for `placement.device: auto`, which leaves GPUs open.
    """
    placement, train = config.placement, config.train
    if placement.device == "auto":
        raise UserError(
            "placement.device is auto, which takes what the cluster has, and here the cluster is made: set "
            "--set placement.device=cuda, or cpu"
        )
    groups: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for stage in STAGES:
        groups.setdefault(tuple(sorted(placement.labels.get(stage, {}).items())), []).append(stage)
    # Training runs on nodes without labels; they exist even where every stage has some.
    groups.setdefault((), [])
    on_gpu = placement.device == "cuda"
    kinds = []
    for labels, stages in sorted(groups.items()):
        trains = not labels
        wanted, counted = _count(config, trains, nodes)
        memory, sized = _memory(config, calibration, stages)
        kinds.append(
            NodeKind(
                name="-".join(value for _, value in labels) or "workers",
                labels=dict(labels),
                stages=tuple(stages),
                gpus=int(on_gpu or (trains and train.use_gpu)),
                cpus=cpus or max(CPUS, train.threads if trains else 0),
                memory_gib=memory,
                object_store_mb=placement.object_store_mb or OBJECT_STORE_MB,
                nodes=wanted,
                why=(counted, sized),
            )
        )
    return kinds


def most_nodes_text(kinds: Sequence[NodeKind]) -> str:
    """Return the value of SYNFIQA_MOST_NODES, by which a driver knows how far the autoscaler may grow the cluster."""
    return nodes_text(
        (kind.nodes, Node(kind.cpus, kind.gpus, kind.labels, memory_mb=kind.memory_gib * 1024)) for kind in kinds
    )


def _count(config: RunConfig, trains: bool, given: int) -> tuple[int, str]:
    if given:
        return given, f"{given} nodes by --nodes"
    workers, learners = config.placement.workers, config.train.workers if trains else 0
    if workers:
        most = max(workers, learners)
        return most, f"{most} nodes: placement.workers={workers}" + (f", train.workers={learners}" if learners else "")
    most = max(NODES, learners)
    return most, f"{most} nodes by default: placement.workers is 0, for as many as there are"


def _memory(config: RunConfig, calibration: MemoryCalibration | None, stages: list[str]) -> tuple[int, str]:
    store = config.placement.object_store_mb or OBJECT_STORE_MB
    needs = dict(config.placement.ram_mb)
    source = "placement.ram_mb"
    if calibration is not None and calibration.device == "cpu":
        needs, source = calibration.memory_mb | needs, "the calibration"
    known = sum(needs.get(stage, 0) for stage in stages)
    if not known:
        return MEMORY_GIB, f"{MEMORY_GIB} GiB by default: set placement.ram_mb, or give --calibration of a CPU"
    total = math.ceil((known + store) / 1024) + RESERVE_GIB
    return total, f"{total} GiB: {known:,} MB of its stages by {source}, {store:,} MB object store, {RESERVE_GIB} GiB"
