"""The pipeline on a real local Ray: whole units, order, errors, deaths and early ends, whatever the placement."""

import json
import re
import time
import urllib.request
from collections import defaultdict
from contextlib import suppress

import pytest
import ray

from synfiqa.cluster.pipeline import stream as pipeline
from synfiqa.cluster.pipeline import watched_execution
from synfiqa.cluster.pipeline.layout.placement import Pool
from synfiqa.cluster.pipeline.ray_session import ray_session
from synfiqa.cluster.pipeline.stage import Resources
from synfiqa.cluster.pipeline.stream import stream, window_size
from synfiqa.cluster.storage.storage import Storage
from synfiqa.cluster.telemetry.metric_table import OTHERS
from synfiqa.schemas.config.cluster import PlacementSection, ResilienceSection
from synfiqa.schemas.errors import JobFailed, StorageRefused
from synfiqa.schemas.manifest import Dead
from tests.cluster.deploy.promql import SERIES
from tests.cluster.telemetry.every_event import record_every_event
from tests.cluster.toy_stages import (
    AddOne,
    BreakNode,
    BreakSetup,
    Dawdle,
    DieOn,
    FailOn,
    KillRow,
    Lifecycle,
    Refuse,
    toy_units,
)

ONE_WORKER = PlacementSection(workers=1)

pytestmark = pytest.mark.ray


@pytest.fixture(scope="module", autouse=True)
def _ray():
    with pytest.MonkeyPatch.context() as patch:
        # Every second in place of every ten.
        patch.setenv("RAY_metrics_report_interval_ms", "1000")
        with ray_session(num_cpus=2):
            yield


@pytest.fixture
def storage(tmp_path):
    return Storage(str(tmp_path / "run"))


def values(results):
    return {work.number: work.table["value"].to_pylist() for work in results}


def test_split_and_fused_stages_make_the_same_units(storage):
    expected = {n: [n + 2, n + 102] for n in range(4)}
    for placement in (PlacementSection(mode="fused", workers=1), PlacementSection(mode="split", workers=1)):
        results = list(stream([AddOne(), AddOne()], toy_units(4), storage, placement))
        assert values(results) == expected
        assert all(work.plan == {"n": work.number} and work.busy.keys() == {"add_one"} for work in results)
        assert all(work.traces["add_one"].worker for work in results)
    assert storage.list("attempts") == []


def test_ordered_results_come_in_unit_order_though_the_first_unit_is_slowest(storage):
    results = stream([Dawdle()], toy_units(6), storage, PlacementSection(workers=2), ordered=True)
    assert [work.number for work in results] == list(range(6))


def test_an_error_makes_its_unit_dead_and_spares_the_others(storage, tmp_path):
    notes = tmp_path / "notes"
    notes.mkdir()
    results = list(stream([FailOn(2, 99, notes), AddOne()], toy_units(4), storage, ONE_WORKER))
    dead = [result for result in results if isinstance(result, Dead)]
    assert [(d.number, d.stage, d.attempts) for d in dead] == [(2, "fail_on", 2)]
    assert "unit 2 is poison" in dead[0].error
    assert sorted(result.number for result in results) == [0, 1, 2, 3]


def test_a_unit_that_kills_its_process_once_is_made_and_one_that_always_does_is_dead(storage, tmp_path):
    """Ray restarts a dead worker for ever, so such a unit used to keep the run from ending."""
    for times, outcome in ((1, "made"), (99, "dead")):
        notes = tmp_path / outcome
        notes.mkdir()
        twice = ResilienceSection(max_attempts=2)
        results = list(stream([DieOn(1, times, notes)], toy_units(3), storage, ONE_WORKER, twice))
        assert sorted(result.number for result in results) == [0, 1, 2]
        dead = [result.number for result in results if isinstance(result, Dead)]
        assert dead == ([] if outcome == "made" else [1])
        kept = [json.loads(storage.read(path)) for path in storage.list("events") if "/process-" in path]
        assert {event["unit"] for event in kept} == {"samples-000001-die_on"}, "what died is kept, with its log"
        assert all("died while it worked on" in event["message"] and "(in " not in event["log"] for event in kept)
    assert len(kept) == 3, "one death, then two: each is kept once"


def test_leaving_early_gives_the_workers_back(storage):
    results = stream([Dawdle()], toy_units(50), storage, PlacementSection(workers=1))
    assert next(results).number >= 0
    results.close()
    assert len(list(stream([AddOne()], toy_units(2), storage, PlacementSection(workers=2)))) == 2


def test_a_row_that_kills_its_process_costs_itself_and_its_unit_is_made(storage):
    """Only the whole unit could be set aside before: one row that crashed a driver cost its two hundred neighbours."""
    results = list(stream([KillRow(101)], toy_units(3), storage, ONE_WORKER))
    assert {work.number: work.table["value"].to_pylist() for work in results} == {0: [1, 101], 1: [2], 2: [3, 103]}
    [(row,)] = [work.dead for work in results if work.dead]
    assert (row.item, row.stage) == ("101", "kill_row")
    assert "process died" in row.error


def test_an_error_that_will_not_pass_ends_the_stream_as_what_it_is(storage):
    with pytest.raises(StorageRefused, match="credentials have expired"):
        list(stream([Refuse(), AddOne()], toy_units(3), storage, ONE_WORKER))
    assert storage.list("attempts") == []


def test_workers_that_cannot_start_are_a_sentence_not_a_traceback(storage):
    with pytest.raises(JobFailed, match=r"workers cannot set up break_setup.*no such weights"):
        list(stream([BreakSetup()], toy_units(3), storage, ONE_WORKER))


def test_more_units_than_a_window_come_all_and_in_order(storage, monkeypatch):
    """A driver's memory and the time of each unit used to grow with the length of the run."""
    monkeypatch.setattr(pipeline, "WINDOW", 2)
    monkeypatch.setattr(pipeline, "ROUNDS", 2)
    results = stream([AddOne()], toy_units(3), storage, ONE_WORKER, ordered=True)
    assert [work.number for work in results] == [0, 1, 2]
    assert storage.list("attempts") == []


def test_more_workers_have_longer_windows():
    """With 512 workers and shards of half an hour, a fifth of their time was waiting for the end of windows."""
    sizes = [window_size([Pool((AddOne(),), workers, Resources(1.0))]) for workers in (1, 512, 4096)]
    assert sizes == [1000, 24_576, 50_000]


@pytest.mark.parametrize("mode", ["fused", "split"])
def test_a_node_is_prepared_once_and_every_worker_closes_its_stages(storage, tmp_path, mode):
    notes = tmp_path / "notes"
    notes.mkdir()
    stages = [Lifecycle(notes, "first"), Lifecycle(notes, "second")]
    placement = PlacementSection(mode=mode, workers=2 if mode == "fused" else 1)
    assert len(list(stream(stages, toy_units(6), storage, placement))) == 6
    for stage in stages:
        assert len(stage.calls("node")) == 1
        started = stage.calls("setup")
        assert len(started) == (2 if mode == "fused" else 1)
        assert _eventually(lambda stage=stage, started=started: sorted(stage.calls("close")) == sorted(started))


def test_a_worker_that_dies_closes_nothing_and_its_successor_does(storage, tmp_path):
    notes = tmp_path / "notes"
    notes.mkdir()
    stage = Lifecycle(notes, dies=1)
    assert len(list(stream([stage], toy_units(3), storage, ONE_WORKER))) == 3
    assert len(stage.calls("node")) == 1
    dead, *successors = stage.calls("setup")
    assert _eventually(lambda: stage.calls("close") == successors[-1:])
    assert dead not in stage.calls("close")


def test_a_node_that_cannot_be_prepared_ends_the_stream_with_a_sentence(storage):
    with pytest.raises(JobFailed, match=r"prepare this node for break_node on .*read-only"):
        list(stream([BreakNode()], toy_units(3), storage, ONE_WORKER))


def _eventually(holds):
    """Wait for actors to end, which Ray does on its own."""
    for _ in range(100):
        if holds():
            return True
        time.sleep(0.1)
    return holds()


class Annotate(AddOne):
    """Has the name of a stage of the pipeline, and cannot make one unit."""

    name = "annotator"

    def process(self, work):
        if work.number == 1:
            raise ValueError("unit 1 is poison")
        return super().process(work)


def test_metrics_of_driver_and_workers_are_exported(storage, monkeypatch):
    """Every metric of the table is at the agent of the node, with its labels; so dashboard and alerts find theirs."""
    monkeypatch.setattr(watched_execution, "LOOK_S", 0.2)
    assert len(list(stream([Annotate()], toy_units(3), storage, ONE_WORKER))) == 3
    record_every_event(storage.uri())
    wanted = set(SERIES) - {name for name in OTHERS if name != "ray_node_disk_utilization_percentage"}
    # The agent shows a gauge once for each report of its process, so not every scrape has all of them.
    deadline, series = time.monotonic() + 120, defaultdict(set)
    while time.monotonic() < deadline and not (wanted <= series.keys() and series[BUSY] >= {"annotator"}):
        time.sleep(0.5)
        for name, stages in exported().items():
            series[name] |= stages
    assert wanted <= series.keys()
    # Stages of other tests on this node count as "other".
    assert series[BUSY] - {"other"} == {"annotator", "shard_writer"}
    for name in wanted:
        assert (
            SERIES[name] | {"WorkerId", "SessionName"} - ({"WorkerId"} if name in OTHERS else set()) <= LABELS_OF[name]
        )
    (event,) = [json.loads(storage.read(path)) for path in storage.list("events")]
    assert (event["unit"], event["stage"]) == ("samples-000001", "annotator")
    assert "unit 1 is poison" in event["traceback"]


BUSY = "ray_synfiqa_stage_busy_seconds_total"
LABELS_OF = defaultdict(set)


def exported():
    """Return the stages, empty where it has none, of each metric at the agent of this node; note their labels."""
    (node,) = ray.nodes()
    url = f"http://{node['NodeManagerAddress']}:{node['MetricsExportPort']}/metrics"
    with suppress(OSError), urllib.request.urlopen(url, timeout=10) as answer:
        found = defaultdict(set)
        for name, labels in re.findall(r"^(ray_\w+){(.*)} ", answer.read().decode(), re.MULTILINE):
            pairs = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', labels))
            LABELS_OF[name] |= pairs.keys()
            found[name].add(pairs.get("stage", ""))
        return found
    return {}
