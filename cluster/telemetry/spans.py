"""Time, worker and GPU use of each stage on a unit, encoded in the provenance of its commit.

Provenance is flat text: `seconds_<stage>`, `began_<stage>`, `worker_<stage>`, `machine_<stage>` (what decides its
rounding), and for a worker with a GPU `gpu_<stage>`, `device_<stage>` and `memory_<stage>`. None of it enters a digest.
No prefix is a prefix of another, so that the name of a stage cannot turn one key into another.
"""

from collections.abc import Mapping
from dataclasses import dataclass

_SECONDS = "seconds_"


@dataclass(frozen=True)
class StageTrace:
    """Start of a stage on a unit (Unix seconds), its worker, and the use of the worker's GPU meanwhile.

    `worker` is host/pid@start, `gpu` the GPU's UUID (empty without one), `utilisation` the mean share 0..1 of the time
    in which the GPU ran kernels of any process, `memory` the peak of its bytes in use; None is unknown. `machine` is
    the class of its CPU and GPU and a digest of its libraries; empty in older runs.
    """

    began: float
    worker: str
    gpu: str = ""
    utilisation: float | None = None
    memory: int | None = None
    machine: str = ""


@dataclass(frozen=True)
class Span(StageTrace):
    """Trace of a stage on one unit with its duration in seconds."""

    seconds: float = 0.0

    @property
    def ended(self) -> float:
        """End in Unix seconds."""
        return self.began + self.seconds


def to_provenance(busy: Mapping[str, float], traces: Mapping[str, StageTrace]) -> dict[str, str]:
    """Return the provenance entries of a unit from seconds and traces by stage."""
    entries = {f"{_SECONDS}{stage}": f"{seconds:.3f}" for stage, seconds in busy.items()}
    for stage, trace in traces.items():
        entries[f"began_{stage}"] = f"{trace.began:.3f}"
        entries[f"worker_{stage}"] = trace.worker
        if trace.machine:
            entries[f"machine_{stage}"] = trace.machine
        if trace.gpu:
            entries[f"device_{stage}"] = trace.gpu
        if trace.utilisation is not None:
            entries[f"gpu_{stage}"] = f"{trace.utilisation:.3f}"
        if trace.memory is not None:
            entries[f"memory_{stage}"] = str(trace.memory)
    return entries


def from_provenance(provenance: Mapping[str, str]) -> dict[str, Span]:
    """Return the spans by stage; omits stages without a start time, as in older runs."""
    spans = {}
    for key, seconds in provenance.items():
        stage = key.removeprefix(_SECONDS)
        if stage == key or f"began_{stage}" not in provenance:
            continue
        use, memory = provenance.get(f"gpu_{stage}"), provenance.get(f"memory_{stage}")
        spans[stage] = Span(
            began=float(provenance[f"began_{stage}"]),
            worker=provenance.get(f"worker_{stage}", ""),
            gpu=provenance.get(f"device_{stage}", ""),
            utilisation=None if use is None else float(use),
            memory=None if memory is None else int(memory),
            machine=provenance.get(f"machine_{stage}", ""),
            seconds=float(seconds),
        )
    return spans
