"""How many workers share a GPU, from their measured memory; shares that do not fit are refused."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from synfiqa.schemas.errors import UserError

RESERVE = 0.05
"""Share of a GPU's memory that is never used: fragmentation, and what a measurement on few rows misses."""

MOST_WORKERS = 64
"""Most workers of a stage on one GPU; Ray counts GPUs in steps of 1/10,000, so finer shares would not add up."""

_STEPS = 10_000


@dataclass(frozen=True)
class GpuShare:
    """`per_gpu` workers fit one GPU, each takes `fraction` of it (1/per_gpu, cut to Ray's steps); `text` shows why."""

    per_gpu: int
    fraction: float
    text: str


def gpu_share(footprint_mb: float, gpu_memory_mb: float, reserve: float = RESERVE, stage: str = "a worker") -> GpuShare:
    """Return how many workers of a stage fit one GPU by memory (MB of 1024^2 bytes), with the arithmetic in words.

    UserError when not even one does.
    """
    if not footprint_mb > 0 or not gpu_memory_mb > 0 or not 0 <= reserve < 1:
        raise UserError(
            f"{stage} cannot be packed by {footprint_mb:,.0f} MB on a GPU of {gpu_memory_mb:,.0f} MB: "
            "run `synfiqa calibrate` and set placement.memory_mb and placement.gpu_memory_mb to what it prints"
        )
    room = gpu_memory_mb * (1 - reserve)
    need = f"{stage}: {footprint_mb:,.0f} MB at its peak, {gpu_memory_mb:,.0f} MB a GPU less {100 * reserve:g} %"
    fitting = math.floor(room / footprint_mb)
    if not fitting:
        raise UserError(
            f"{need} leaves {room:,.0f} MB, too little for one worker: lower models.micro_batch or "
            "generate.micro_batch, set models.precision to bfloat16, or use GPUs with more memory"
        )
    count = min(fitting, MOST_WORKERS)
    placed = f"{fitting} worker{'s' * (fitting != 1)}" + (f", at most {count} of them" if count < fitting else "")
    # Ray rounds to its steps: seven shares of 1/7 would be more than a GPU.
    fraction = math.floor(_STEPS / count) / _STEPS
    return GpuShare(count, fraction, f"{need} = {placed}, {'1' if count == 1 else f'1/{count}'} GPU each")


def check_packing(
    footprints: Mapping[str, float], shares: Mapping[str, float], gpu_memory_mb: float, reserve: float = RESERVE
) -> None:
    """Raise UserError if workers that Ray may put on one GPU together need more memory than it has to give.

    `footprints` are MB per worker and `shares` GPUs per worker, by stage; Ray co-locates any workers whose shares add
    up to one GPU, so the fullest such mix must fit. Stages without a share take no GPU; one without a footprint that
    takes one is refused.
    """
    using = {stage: share for stage, share in shares.items() if share > 0}
    if unknown := sorted(using.keys() - footprints.keys()):
        raise UserError(
            f"placement.memory_mb has no entry for {', '.join(unknown)}: run `synfiqa calibrate` and set it to "
            "what that prints"
        )
    room = gpu_memory_mb * (1 - reserve)
    stages = [(stage, footprints[stage], math.floor(share * _STEPS + 1e-6)) for stage, share in using.items()]
    needed, counts = _fullest(stages, _STEPS)
    if needed > room:
        mix = " + ".join(f"{count} x {stage} ({footprints[stage]:,.0f} MB)" for stage, count in counts.items())
        raise UserError(
            f"by their shares one GPU may hold {mix} = {needed:,.0f} MB, but {gpu_memory_mb:,.0f} MB less "
            f"{100 * reserve:g} % are {room:,.0f} MB: give each stage the share that `synfiqa calibrate` shows, or "
            "lower models.micro_batch"
        )


def _fullest(stages: list[tuple[str, float, int]], free: int) -> tuple[float, dict[str, int]]:
    """Return the most MB, and how many workers of each stage take it, among all mixes whose steps fit the free ones."""
    if not stages:
        return 0.0, {}
    (name, memory, steps), *others = stages
    most = max(1, free // steps) if free == _STEPS else free // steps
    # The last stage takes all that is left.
    candidates = []
    for count in range(0 if others else most, most + 1):
        rest, counts = _fullest(others, free - min(free, count * steps))
        candidates.append((count * memory + rest, {name: count, **counts} if count else counts))
    return max(candidates, key=lambda mix: mix[0])
