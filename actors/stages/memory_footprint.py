"""Measures the memory of a stage in a fresh process, so that nothing else is counted."""

import os
import re
import resource
import sys
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Literal

from synfiqa.cluster.pipeline.salvage import describe
from synfiqa.cluster.pipeline.stage import Stage, Work
from synfiqa.schemas.errors import JobFailed, UserError

Device = Literal["auto", "cpu", "cuda"]

MB = 1024**2
_STATUS = Path("/proc/self/status")
_CLEAR_PEAK = "5"


@dataclass(frozen=True)
class Footprint:
    """Memory of one worker process that runs a stage, in MB of 1024^2 bytes.

    `weights_mb` is what `setup` leaves, `peak_mb` the most during setup and one unit, weights included. Both come on
    top of `context_mb`: on a GPU the CUDA context with its kernels and all that is not PyTorch's, on a CPU the
    interpreter with PyTorch. `device` is `cpu` or `cuda`, `capacity_mb` the memory of that GPU (0 on a CPU).
    """

    weights_mb: float
    peak_mb: float
    context_mb: float
    device: str
    capacity_mb: float = 0.0

    @property
    def total_mb(self) -> float:
        """Return the memory of one worker."""
        return self.peak_mb + self.context_mb


def measure(stage: Stage, work: Work, device: Device = "auto") -> tuple[Footprint, Work]:
    """Set the stage up in a new process, run one unit, and return what that took and the unit as the stage left it.

    UserError from the stage passes; JobFailed for any other failure, such as a process that ran out of memory. On a
    GPU nothing else should run meanwhile: the context is the difference in the device's free memory.
    """
    chosen = _resolve(device)
    with _process() as worker:
        if chosen == "cpu":
            footprint, done, _ = _result(worker, stage, work, chosen)
            return footprint, done
        # A second process watches the GPU: the first cannot measure its own context.
        with _process() as watcher:
            free, capacity = watcher.submit(_gpu_memory).result()
            footprint, done, held = _result(worker, stage, work, chosen)
            taken = free - watcher.submit(_gpu_memory).result()[0]
    return replace(footprint, context_mb=max(0.0, taken - held), capacity_mb=capacity), done


def _resolve(device: Device) -> str:
    if device == "cpu":
        return device
    import torch

    found = torch.cuda.is_available()
    if device == "cuda" and not found:
        raise UserError("placement.device is cuda but this machine has no GPU: calibrate on one that has")
    return "cuda" if found else "cpu"


def _process() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, mp_context=get_context("spawn"))


def _result(worker: ProcessPoolExecutor, stage: Stage, work: Work, device: str) -> tuple[Footprint, Work, float]:
    try:
        return worker.submit(_measure_here, stage, work, device).result()
    except BrokenProcessPool as error:
        raise JobFailed(
            f"the process that ran {stage.name} died, most likely out of memory: lower models.micro_batch or "
            "generate.micro_batch"
        ) from error


def _measure_here(stage: Stage, work: Work, device: str) -> tuple[Footprint, Work, float]:
    """Measure in this process; the last number is the GPU memory that PyTorch still holds at the end, in MB."""
    if device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    import torch

    torch.set_num_threads(1)
    try:
        stage.setup_on_node()
        return _on_gpu(stage, work) if device == "cuda" else _on_cpu(stage, work)
    except (UserError, JobFailed):
        raise
    except Exception as error:
        raise JobFailed(f"{stage.name} fails ({describe(error)}): correct the cause and calibrate again") from error


def _on_gpu(stage: Stage, work: Work) -> tuple[Footprint, Work, float]:
    import torch

    stage.setup()
    weights = torch.cuda.memory_allocated()
    done = stage.process(work)
    if torch.cuda.is_initialized():  # else waiting would make the context of a stage that has none
        torch.cuda.synchronize()
    peak, held = torch.cuda.max_memory_reserved(), torch.cuda.memory_reserved()
    return Footprint(weights / MB, peak / MB, 0.0, "cuda"), done, held / MB


def _on_cpu(stage: Stage, work: Work) -> tuple[Footprint, Work, float]:
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text(_CLEAR_PEAK, encoding="ascii")
    before = _resident("VmRSS")
    stage.setup()
    weights = max(0.0, _resident("VmRSS") - before)
    done = stage.process(work)
    return Footprint(weights, max(weights, _resident("VmHWM") - before), before, "cpu"), done, 0.0


def _resident(field: str) -> float:
    """Return a line of this process's memory in MB; where there is no /proc, the highest so far for either."""
    try:
        return int(re.search(rf"{field}:\s+(\d+) kB", _STATUS.read_text(encoding="ascii"))[1]) / 1024  # type: ignore[index]
    except OSError:
        highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return highest / (MB if sys.platform == "darwin" else 1024)


def _gpu_memory() -> tuple[float, float]:
    """Return free and total memory of this process's GPU in MB; the first call makes its context."""
    import torch

    free, total = torch.cuda.mem_get_info()
    return free / MB, total / MB
