"""Placement: how the stages of a half are laid out as actor pools. It never changes what is made."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from synfiqa.cluster.pipeline.layout.gpu_packing import check_packing, gpu_share
from synfiqa.cluster.pipeline.layout.pool_sizes import Rooms, pool_sizes
from synfiqa.cluster.pipeline.stage import Resources, Stage
from synfiqa.cluster.ray_cluster.nodes import Node, label_text, total
from synfiqa.schemas.config.cluster import PlacementSection
from synfiqa.schemas.errors import UserError


class NoRoom(UserError):
    """The cluster has no node yet that a pool could use; such a node may come."""


@dataclass(frozen=True)
class Pool:
    """One actor pool: the stages each of its processes runs in order, its size, what each takes, where it may run.

    `ram_mb` is the main memory that each takes, 0 when unknown.
    """

    stages: tuple[Stage, ...]
    size: int
    resources: Resources
    labels: dict[str, str] = field(default_factory=dict)
    ram_mb: int = 0

    @property
    def name(self) -> str:
        """Return the names of its stages, joined by +."""
        return "+".join(stage.name for stage in self.stages)


def plan_placement(stages: list[Stage], section: PlacementSection, nodes: Sequence[Node], units: int) -> list[Pool]:
    """Lay `stages` out on the nodes of a cluster for so many units of work.

    Fused shares one process per worker, so that models load once and no pixels cross processes: right for laptops
    and for one-GPU workers. Split gives each stage its own pool, sized by its share of the nodes that have its labels.
    `auto` fuses without GPUs, and where the GPUs are too few for a pool each. A pool whose labels no node has is
    planned with one worker, which waits for such a node.
    """
    gpus = total(nodes)[1]
    use_gpu = section.device == "cuda" or (section.device == "auto" and gpus > 0)
    require_gpu(section, gpus)
    if not nodes:
        raise NoRoom("no node is alive")
    fused, split = [tuple(stages)], [(stage,) for stage in stages]
    if section.mode == "fused" or (section.mode == "auto" and not use_gpu):
        return _plan(fused, use_gpu, section, nodes, units)
    try:
        return _plan(split, use_gpu, section, nodes, units)
    except UserError as error:
        if section.mode == "split":
            raise
        try:
            return _plan(fused, use_gpu, section, nodes, units)
        except UserError:
            raise error from None


def _plan(
    groups: Sequence[tuple[Stage, ...]], use_gpu: bool, section: PlacementSection, nodes: Sequence[Node], units: int
) -> list[Pool]:
    shares = [_share(group, use_gpu, section) for group in groups]
    _packed(groups, shares, section)
    labels = [_labels(group, section) for group in groups]
    rooms = Rooms(nodes, labels)
    sizes = pool_sizes(groups, shares, section, rooms, units)
    _require_cpus(groups, shares, rooms)
    _require_room(shares, sizes, labels, rooms)
    scales = [_cpu_scale(at, shares, sizes, rooms) for at in range(len(shares))]
    return [
        Pool(
            group,
            size,
            Resources(math.floor(share.cpus * scale * 1e4) / 1e4, share.gpus),
            selector,
            sum(section.ram_mb.get(stage.name, 0) for stage in group),
        )
        for group, share, size, scale, selector in zip(groups, shares, sizes, scales, labels, strict=True)
    ]


def sizes_on(
    pools: Sequence[Pool],
    section: PlacementSection,
    nodes: Sequence[Node],
    units: int,
    seconds: Mapping[str, float] | None = None,
) -> list[int]:
    """Return how many workers each pool of a running plan should have on the nodes that there are now.

    `seconds` are those measured a unit, by stage.
    """
    groups, shares = [pool.stages for pool in pools], [pool.resources for pool in pools]
    rooms = Rooms(nodes, [pool.labels for pool in pools])
    return pool_sizes(groups, shares, section, rooms, units, seconds)


def require_gpu(section: PlacementSection, gpus: float) -> None:
    """Raise NoRoom when the config demands GPUs and the cluster has none."""
    if section.device == "cuda" and gpus <= 0:
        raise NoRoom("placement.device is cuda but the cluster has no GPU: use --set placement.device=cpu")


def _labels(group: tuple[Stage, ...], section: PlacementSection) -> dict[str, str]:
    """Return the node labels of all stages of a pool; stages that share a process must agree on them."""
    wanted: dict[str, str] = {}
    for stage in group:
        for label, value in section.labels.get(stage.name, {}).items():
            if wanted.setdefault(label, value) != value:
                raise UserError(
                    f"placement.labels wants {label}={wanted[label]} and {label}={value} for stages that share a "
                    "process: use --set placement.mode=split"
                )
    return wanted


def _require_cpus(groups: Sequence[tuple[Stage, ...]], shares: Sequence[Resources], rooms: Rooms) -> None:
    """NoRoom when a pool takes CPUs and its nodes have none: as many workers as one likes would run on the head."""
    for at, share in enumerate(shares):
        if share.cpus and rooms.places[at] and rooms.total(at)[0] <= 0:
            names = "+".join(stage.name for stage in groups[at])
            raise NoRoom(f"no node that {names} may use has CPUs for its workers: add worker nodes")


def _require_room(
    shares: Sequence[Resources], sizes: Sequence[int], labels: Sequence[Mapping[str, str]], rooms: Rooms
) -> None:
    """UserError when the pools need more GPUs than their nodes hold; Ray would never place the last workers."""
    # The narrowest room first: its message names the labels.
    for at in sorted(range(len(shares)), key=lambda pool: len(rooms.places[pool])):
        wanted, held = sum(shares[pool].gpus * sizes[pool] for pool in rooms.within(at)), rooms.total(at)[1]
        if wanted > held + 1e-6:
            where = f"nodes with {label_text(labels[at])} have" if labels[at] else "cluster has"
            raise UserError(
                f"the stages need {wanted:g} GPUs but the {where} {held:g}: "
                "lower placement.workers or use --set placement.mode=fused"
            )


def _cpu_scale(pool: int, shares: Sequence[Resources], sizes: Sequence[int], rooms: Rooms) -> float:
    """Return the factor by which more workers than cores share the cores; Ray would never place them otherwise."""
    wanted = sum(shares[at].cpus * sizes[at] for at in rooms.within(pool))
    return min(1.0, rooms.total(pool)[0] / wanted) if wanted else 1.0


def _share(group: tuple[Stage, ...], use_gpu: bool, section: PlacementSection) -> Resources:
    gpu = _gpu_share(group, section) if use_gpu else 0.0
    # A process that owns a GPU share waits on it; on a CPU machine it is the worker and takes whole cores.
    cpu = 0.0 if gpu else max(stage.resources.cpus for stage in group)
    return Resources(cpus=cpu, gpus=gpu)


def _gpu_share(group: tuple[Stage, ...], section: PlacementSection) -> float:
    """Return the GPUs a process takes: what its stages declare, or the 1/n that their measured memory needs.

    A stage that declares a whole GPU keeps it: it is bound by arithmetic, and a second one beside it gains nothing.
    """
    using = [stage for stage in group if stage.resources.gpus > 0]
    declared = min(1.0, sum(stage.resources.gpus for stage in using))
    if not (using and section.gpu_memory_mb and section.memory_mb):
        return declared
    name = "+".join(stage.name for stage in using)
    if unknown := [stage.name for stage in using if stage.name not in section.memory_mb]:
        raise UserError(
            f"placement.memory_mb has no entry for {', '.join(unknown)}: run `synfiqa calibrate` and set it to "
            "what that prints, or leave it empty"
        )
    packed = gpu_share(sum(section.memory_mb[stage.name] for stage in using), section.gpu_memory_mb, stage=name)
    return 1.0 if declared >= 1 else packed.fraction


def _packed(groups: Sequence[tuple[Stage, ...]], shares: Sequence[Resources], section: PlacementSection) -> None:
    """UserError when processes that Ray may put on one GPU together need more memory than it has."""
    if not (section.gpu_memory_mb and section.memory_mb):
        return
    names = ["+".join(stage.name for stage in group) for group in groups]
    needs = [
        sum(section.memory_mb.get(stage.name, 0) for stage in group if stage.resources.gpus > 0) for group in groups
    ]
    check_packing(
        dict(zip(names, needs, strict=True)),
        {name: share.gpus for name, share in zip(names, shares, strict=True)},
        section.gpu_memory_mb,
    )
