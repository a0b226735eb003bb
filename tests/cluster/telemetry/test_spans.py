"""Spans survive the round trip through provenance; older commits are no error."""

from synfiqa.cluster.telemetry.spans import Span, StageTrace, from_provenance, to_provenance

ON_GPU = StageTrace(1_700_000_000.125, "node-1/42@1699999990", "GPU-1", 0.9375, 12 * 2**30)
ON_CPU = StageTrace(1_700_000_010.0, "node-1/43@1699999991")


def test_entries_come_back_as_spans_whatever_the_stages_are_called():
    busy = {"generator": 8.5, "gpu_generator": 1.25}
    entries = to_provenance(busy, {"generator": ON_GPU, "gpu_generator": ON_GPU})
    assert all(isinstance(value, str) for value in entries.values())
    assert from_provenance({"node": "node-1", "process": "42", "micro_batch_generator": "4", **entries}) == {
        "generator": Span(ON_GPU.began, ON_GPU.worker, "GPU-1", 0.938, 12 * 2**30, seconds=8.5),
        "gpu_generator": Span(ON_GPU.began, ON_GPU.worker, "GPU-1", 0.938, 12 * 2**30, seconds=1.25),
    }


def test_a_worker_without_a_gpu_leaves_no_gpu_entries():
    entries = to_provenance({"annotator": 1.0}, {"annotator": ON_CPU})
    assert entries.keys() == {"seconds_annotator", "began_annotator", "worker_annotator"}


def test_seconds_alone_as_older_runs_have_them_are_no_span():
    assert from_provenance({"seconds_annotator": "1.000", "node": "node-1"}) == {}
