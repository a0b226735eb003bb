"""Placement: how the stages of a half are laid out as actor pools. It never changes what is made."""

import math
from dataclasses import dataclass, field

from synfiqa.cluster.pipeline.gpu_packing import check_packing, gpu_share
from synfiqa.cluster.pipeline.stage import Resources, Stage
from synfiqa.schemas.config.cluster import PlacementSection
from synfiqa.schemas.errors import UserError


@dataclass(frozen=True)
class Pool:
    """One actor pool: the stages each of its processes runs in order, its size, what each takes, where it may run."""

    stages: tuple[Stage, ...]
    size: int
    resources: Resources
    labels: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Return the names of its stages, joined by +."""
        return "+".join(stage.name for stage in self.stages)


def plan_placement(stages: list[Stage], section: PlacementSection, cpus: float, gpus: float, units: int) -> list[Pool]:
    """Lay `stages` out on a cluster of so many CPUs and GPUs for so many units of work.

    Fused shares one process per worker, so that models load once and no pixels cross processes: right for laptops
    and for one-GPU workers. Split gives each stage its own pool, sized by its share of what the cluster holds.
    """
    use_gpu = section.device == "cuda" or (section.device == "auto" and gpus > 0)
    require_gpu(section, gpus)
    fused = section.mode == "fused" or (section.mode == "auto" and not use_gpu)
    groups: list[tuple[Stage, ...]] = [tuple(stages)] if fused else [(stage,) for stage in stages]
    shares = [_share(group, use_gpu, section) for group in groups]
    _packed(groups, shares, section)
    sizes = [min(_pool_size(share, shares, section.workers, cpus, gpus), max(units, 1)) for share in shares]
    if (wanted := sum(share.gpus * size for share, size in zip(shares, sizes, strict=True))) > gpus + 1e-6:
        raise UserError(
            f"the stages need {wanted:g} GPUs but the cluster has {gpus:g}: "
            "lower placement.workers or use --set placement.mode=fused"
        )
    scale = _cpu_scale(shares, sizes, cpus)
    return [
        Pool(group, size, Resources(math.floor(share.cpus * scale * 1e4) / 1e4, share.gpus), _labels(group, section))
        for group, share, size in zip(groups, shares, sizes, strict=True)
    ]


def require_gpu(section: PlacementSection, gpus: float) -> None:
    """Raise UserError when the config demands GPUs and the cluster has none."""
    if section.device == "cuda" and gpus <= 0:
        raise UserError("placement.device is cuda but the cluster has no GPU: use --set placement.device=cpu")


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


def _cpu_scale(shares: list[Resources], sizes: list[int], cpus: float) -> float:
    """Return the factor by which more workers than cores share the cores; Ray would never place them otherwise."""
    wanted = sum(share.cpus * size for share, size in zip(shares, sizes, strict=True))
    return min(1.0, cpus / wanted) if wanted else 1.0


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


def _packed(groups: list[tuple[Stage, ...]], shares: list[Resources], section: PlacementSection) -> None:
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


def _pool_size(share: Resources, shares: list[Resources], workers: int, cpus: float, gpus: float) -> int:
    if workers:
        return workers
    if share.gpus:
        return max(1, math.floor(gpus / sum(other.gpus for other in shares) + 1e-9))
    cpu_pools = sum(other.cpus for other in shares) or 1.0
    return max(1, math.floor(cpus / cpu_pools + 1e-9))
