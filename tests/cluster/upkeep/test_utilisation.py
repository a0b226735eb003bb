"""Utilisation of hand-made spans whose results can be computed by hand."""

import uuid

import pytest

from synfiqa.cluster.commits.shard_store import ShardStore
from synfiqa.cluster.run.manifest import open_run
from synfiqa.cluster.storage.storage import Storage
from synfiqa.cluster.telemetry.spans import Span, to_provenance
from synfiqa.cluster.upkeep.utilisation import read_trace, trace_of
from tests.cluster.finished_run import ledger_rows
from tests.cluster.synthetic import MODELS, config


def span(began, ended, worker="a", use=None, gpu=""):
    gpu = gpu or ("GPU-0" if use is not None else "")
    return Span(began, worker, gpu, use, None if use is None else 2**30, seconds=ended - began)


def shards(*spans, stage="generator"):
    return [("samples", {stage: found}) for found in spans]


def test_shares_of_a_stage_are_of_its_workers_time_and_means_are_weighted_by_it():
    trace = trace_of(shards(span(0, 4, use=1.0), span(6, 8, use=0.4), span(8, 10, use=0.4)))
    (stage,) = trace.stages
    assert (stage.units, stage.workers, stage.busy_s, stage.median_s) == (3, 1, 8.0, 2.0)
    assert stage.busy == pytest.approx(0.8)
    assert stage.gpu == pytest.approx((4 * 1.0 + 4 * 0.4) / 8)
    assert stage.gpu_memory == 2**30


def test_the_steady_window_lasts_from_the_last_first_unit_to_the_first_that_is_out_of_work():
    slow_start = [span(0, 3, "a"), span(3, 10, "a"), span(0, 5, "b"), span(5, 8, "b")]
    (steady,) = trace_of(shards(*slow_start)).steady
    assert (steady.seconds, steady.workers, steady.busy) == (3.0, 2, 1.0)
    assert (steady.gpus, steady.gpu_busy) == (0, None)


def test_a_gpu_without_work_is_idle_in_the_steady_window():
    units = [span(0, 2, use=1.0), span(4, 8, use=0.5), span(8, 12, use=1.0)]
    trace = trace_of(shards(*units))
    assert trace.steady_s == 10.0
    assert trace.gpu_busy == trace.steady[0].gpu_busy == pytest.approx((2 * 0 + 4 * 0.5 + 4 * 1.0) / 10)


def test_workers_that_share_a_gpu_see_the_same_gpu_and_do_not_add_up():
    units = [span(0, 2, "a", 0.9), span(2, 10, "a", 0.9), span(0, 2, "b", 0.9), span(2, 6, "b", 0.5)]
    (steady,) = trace_of(shards(*units, span(6, 10, "b", 0.9))).steady
    assert steady.gpus == 1
    assert steady.gpu_busy == pytest.approx((4 * 0.7 + 4 * 0.9) / 8)


def test_two_gpus_count_alike():
    units = [span(0, 1, "a", 1.0), span(1, 5, "a", 1.0), span(0, 1, "b", 0.5, "GPU-1"), span(1, 5, "b", 0.5, "GPU-1")]
    (steady,) = trace_of(shards(*units)).steady
    assert (steady.gpus, steady.gpu_busy) == (2, pytest.approx(0.75))


def test_the_slowest_pool_has_the_window_not_a_reader_that_runs_ahead():
    units = []
    for number in range(4):
        reading = span(number / 10, number / 10 + 0.1, "reader")
        units.append(("samples", {"reader": reading, "generator": span(1 + 2 * number, 3 + 2 * number, "a", 1.0)}))
    trace = trace_of(units)
    assert trace.steady[0].pool == ["generator"]
    assert (trace.steady_s, trace.gpu_busy) == (6.0, 1.0)
    assert [(stage.stage, stage.units) for stage in trace.stages] == [("reader", 4), ("generator", 4)]


def test_stages_of_one_process_are_one_pool():
    units = [
        ("samples", {"generator": span(3 * n, 3 * n + 2), "annotator": span(3 * n + 2, 3 * n + 3)}) for n in range(3)
    ]
    trace = trace_of(units)
    assert trace.steady[0].pool == ["generator", "annotator"]
    assert (trace.steady_s, trace.steady[0].busy) == (6.0, 1.0)
    assert {stage.stage: stage.busy for stage in trace.stages} == {"generator": 0.6667, "annotator": 0.3333}


def test_time_without_a_driver_is_in_no_window():
    first = [span(0, 2, "a", 1.0), span(2, 6, "a", 1.0)]
    a_day_later = [span(90_000, 90_002, "b", 1.0, "GPU-1"), span(90_002, 90_004, "b", 0.5, "GPU-1")]
    trace = trace_of(shards(*first, *a_day_later))
    assert trace.steady_s == 6.0
    assert trace.steady[0].workers == 1
    assert trace.gpu_busy == pytest.approx((4 * 1.0 + 2 * 0.5) / 6, abs=1e-4), "each GPU counts where it had work"


def test_a_worker_that_takes_the_place_of_a_dead_one_does_not_start_the_window_anew():
    steady_one = [span(n, n + 1, "a") for n in range(20)]
    died = [span(n, n + 1, "b") for n in range(8)]
    replacement = [span(n, n + 1, "c") for n in range(10, 20)]
    (steady,) = trace_of(shards(*steady_one, *died, *replacement)).steady
    assert (steady.workers, steady.seconds) == (2, 19.0)
    assert steady.busy == pytest.approx((19 + 7 + 10) / 38, abs=1e-4)


def test_halves_are_separate_and_weighted_by_gpu_seconds():
    ledger = [("identities", {"identity_generator": span(n, n + 1, use=0.5)}) for n in range(3)]
    later = shards(*(span(n, n + 1, "b", 1.0) for n in range(10, 17)))
    trace = trace_of([*ledger, *later])
    assert [(steady.half, steady.seconds) for steady in trace.steady] == [("identities", 2.0), ("samples", 6.0)]
    assert trace.gpu_busy == pytest.approx((2 * 0.5 + 6 * 1.0) / 8)


def test_one_unit_a_worker_is_never_steady():
    trace = trace_of(shards(span(0, 2, "a", 1.0), span(0, 3, "b", 1.0)))
    assert (trace.steady, trace.steady_s, trace.gpu_busy) == ([], 0.0, None)
    assert trace_of([]).stages == []


def test_a_trace_is_read_from_commits_and_unreadable_ones_are_skipped(tmp_path):
    for storage in (Storage(str(tmp_path)), Storage(f"memory://trace-{uuid.uuid4().hex}")):
        run = config(identities=6, per_shard=2)
        store = ShardStore(storage, open_run(storage, run, MODELS).fingerprint)
        counts = {"planned": 4, "accepted": 3, "rejected": 1, "dead": 0, "replayed": 0}
        for unit in range(3):
            found = span(unit, unit + 1, use=0.9)
            entries = to_provenance({"identity_generator": 1.0}, {"identity_generator": found})
            store.commit("identities", unit, ledger_rows(unit, 3 * unit, 3, 1), counts, entries)
        store.commit("identities", 3, ledger_rows(3, 9, 3, 1), counts, {"seconds_identity_generator": "1.000"})
        storage.write("commits/shard-000000.json", b"\xff{")
        storage.write("commits/shard-000001.json", b"[]")
        trace = read_trace(storage)
        assert [(stage.stage, stage.units) for stage in trace.stages] == [("identity_generator", 3)]
        assert (trace.steady_s, trace.gpu_busy) == (2.0, pytest.approx(0.9))


def test_traces_do_not_enter_the_digest_of_a_dataset(tmp_path):
    digests = set()
    for name, entries in (
        ("a", {}),
        ("b", to_provenance({"identity_generator": 1.0}, {"identity_generator": span(0, 1)})),
    ):
        storage = Storage(str(tmp_path / name))
        store = ShardStore(storage, open_run(storage, config(identities=6, per_shard=2), MODELS).fingerprint)
        counts = {"planned": 4, "accepted": 3, "rejected": 1, "dead": 0, "replayed": 0}
        store.commit("identities", 0, ledger_rows(0, 0, 3, 1), counts, entries)
        digests.add(store.dataset_digest())
    assert len(digests) == 1
