"""Measures the memory of each stage on a unit made from the config, and packs workers onto GPUs by it."""

import math
from dataclasses import asdict, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from synfiqa.actors.model_store.resolved_run import ResolvedRun, resolve
from synfiqa.actors.stages.memory_footprint import Device, Footprint, measure
from synfiqa.cluster.pipeline.layout.gpu_packing import RESERVE, GpuShare, gpu_share
from synfiqa.cluster.pipeline.stage import Stage, Work
from synfiqa.jobs.generation.stages import Stages
from synfiqa.jobs.terminal.output import say
from synfiqa.schemas.config.generate import FilterSection
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.errors import JobFailed
from synfiqa.schemas.rows import CANDIDATES, IDENTITIES

LENIENT = {"min_detection": 1e-6, "max_yaw": 90.0, "max_expression": 1.0, "max_glasses": 1.0}
"""Filter rules under which every face passes, so that each model of the filter meets a whole batch."""


def run_calibrate(config: RunConfig, gpu_memory_mb: int | None = None, stages: Stages | None = None) -> dict[str, Any]:
    """Measure every stage in a process of its own, print the arithmetic and the placement section, and return both.

    One batch of candidates goes through the identity half, one identity of it through the sample half. Without
    `gpu_memory_mb` the GPU of this machine is planned for; on a machine without one there is then nothing to pack.
    UserError when a stage does not fit the GPU, JobFailed when one fails on its rows.
    """
    stages = stages or Stages()
    device, run = config.placement.device, resolve(config)
    footprints, candidates = _measure_half(stages.identities(_lenient(run)), _candidates(config), device)
    further, _ = _measure_half(stages.samples(run), _identity(candidates.table), device)
    footprints |= further
    on_gpu = all(footprint.device == "cuda" for footprint in footprints.values())
    capacity = gpu_memory_mb or math.floor(min(footprint.capacity_mb for footprint in footprints.values()))
    # A stage that does not use the GPU needs (almost) none of its memory.
    needs = {name: max(1, math.ceil(footprint.total_mb)) for name, footprint in footprints.items()}
    shares = {name: gpu_share(need, capacity, RESERVE, name) for name, need in needs.items()} if capacity else {}
    placement = {"gpu_memory_mb": capacity, "memory_mb": needs}
    for line in (*_arithmetic(shares, on_gpu), *_snippet(placement)):
        say(line)
    return {
        "device": "cuda" if on_gpu else "cpu",
        "stages": {name: {**asdict(found), "total_mb": found.total_mb} for name, found in footprints.items()},
        "shares": {name: asdict(share) for name, share in shares.items()},
        "placement": placement,
    }


def _measure_half(stages: list[Stage], work: Work, device: Device) -> tuple[dict[str, Footprint], Work]:
    footprints: dict[str, Footprint] = {}
    for stage in stages:
        footprints[stage.name], done = measure(stage, work, device)
        if len(done.dead) > done.table.num_rows // 2:
            raise JobFailed(
                f"{stage.name} fails on {len(done.dead)} rows ({done.dead[0].error}): correct the cause, then "
                "calibrate again"
            )
        say(_measurement(stage, footprints[stage.name], done.notes.get(f"micro_batch_{stage.name}", "")))
        work = replace(done, busy={}, dead=(), notes={})
    return footprints, work


def _candidates(config: RunConfig) -> Work:
    count = min(config.generate.candidates_per_unit, config.generate.micro_batch)
    return Work("identities", 0, CANDIDATES.empty_table(), plan={"first": 0, "count": count})


def _identity(candidates: pa.Table) -> Work:
    """Plan one identity: a candidate that passed, or where none did (networks of random weights) any at all."""
    passed = candidates.filter(pc.equal(candidates["status"], ""))
    chosen = (passed if passed.num_rows else candidates).slice(0, 1)
    if not chosen.num_rows:
        raise JobFailed("the identity stages returned no candidate: nothing is left to measure the sample stages with")
    (row,) = chosen.to_pylist()
    table = pa.Table.from_pylist([{name: row[name] for name in IDENTITIES.names} | {"identity": 0}], schema=IDENTITIES)
    return Work("samples", 0, table, plan={"first": 0, "last": 0, "units": [0]})


def _lenient(run: ResolvedRun) -> ResolvedRun:
    rules: FilterSection = run.config.filter.model_copy(update=LENIENT)
    return replace(run, config=run.config.model_copy(update={"filter": rules}))


def _measurement(stage: Stage, footprint: Footprint, forced: str) -> str:
    context = "CUDA context" if footprint.device == "cuda" else "interpreter and libraries"
    loaded = f" with {', '.join(stage.models)}" if stage.models else ""
    smaller = f"; memory ran out, this is with micro-batches of {forced}" if forced else ""
    return (
        f"{stage.name}: {footprint.total_mb:,.0f} MB at its peak on {footprint.device} = "
        f"{footprint.peak_mb:,.0f} MB of its own ({footprint.weights_mb:,.0f} MB once set up{loaded}) + "
        f"{footprint.context_mb:,.0f} MB {context}{smaller}"
    )


def _arithmetic(shares: dict[str, GpuShare], on_gpu: bool) -> list[str]:
    lines = ["", *(share.text for share in shares.values())]
    if shares and not on_gpu:
        lines.append(
            "measured on a CPU, which is a poor estimate for a GPU: calibrate on a GPU node before a large run"
        )
    if not shares:
        lines.append("no GPU here: give --gpu-memory-mb to plan for one")
    return lines


def _snippet(placement: dict[str, Any]) -> list[str]:
    memory = [f"    {name}: {need}" for name, need in placement["memory_mb"].items()]
    size = [f"  gpu_memory_mb: {placement['gpu_memory_mb']}"] if placement["gpu_memory_mb"] else []
    return ["", "placement:", *size, "  memory_mb:", *memory]
