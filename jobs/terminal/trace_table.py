"""The trace of a run as text: one row a stage, one sentence a steady window."""

from synfiqa.cluster.telemetry.progress import clock
from synfiqa.cluster.upkeep.utilisation import RunTrace, Steady

COLUMNS = ("stage", "units", "busy", "s/unit", "workers", "busy share", "GPU busy", "GPU memory")
"""Names of the cells that `trace_rows` gives."""

_UNKNOWN = "-"


def trace_rows(trace: RunTrace) -> list[tuple[str, ...]]:
    """Return a row of text for each stage, in the order of COLUMNS."""
    return [
        (
            use.stage,
            f"{use.units:,}",
            clock(use.busy_s),
            f"{use.median_s:.3g}",
            f"{use.workers:,}",
            _share(use.busy),
            _share(use.gpu),
            _UNKNOWN if use.gpu_memory is None else f"{use.gpu_memory / 2**30:.1f} GiB",
        )
        for use in trace.stages
    ]


def steady_sentences(trace: RunTrace) -> list[str]:
    """Return one sentence about the steady window of each half, and one about the GPUs of both."""
    sentences = [_sentence(steady) for steady in trace.steady]
    if len([steady for steady in trace.steady if steady.gpus]) > 1:
        sentences.append(f"Both halves together: GPU busy {_share(trace.gpu_busy)} of {clock(trace.steady_s)}.")
    return sentences


def _sentence(steady: Steady) -> str:
    workers = f"{steady.workers} worker{'s' * (steady.workers != 1)} of {'+'.join(steady.pool)}"
    gpus = f", {steady.gpus} GPU{'s' * (steady.gpus != 1)} busy {_share(steady.gpu_busy)}" if steady.gpus else ""
    return f"Steady {clock(steady.seconds)} of {steady.half}: {workers} at work {_share(steady.busy)}{gpus}."


def _share(share: float | None) -> str:
    return _UNKNOWN if share is None else f"{100 * share:.1f} %"
