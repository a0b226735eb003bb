"""Metrics: one table names them, events record by it, values of labels are bounded, and nothing fails without Ray."""

import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from synfiqa.actors.stages.annotator import FEW_REFERENCES, AnnotatorStage
from synfiqa.actors.stages.conditional_generator import ConditionalGeneratorStage
from synfiqa.actors.stages.identity_filter import IdentityFilterStage
from synfiqa.actors.stages.identity_generator import IdentityGeneratorStage
from synfiqa.actors.stages.identity_reader import IdentityReaderStage
from synfiqa.actors.stages.identity_registry import SURPLUS
from synfiqa.actors.stages.shard_writer import ShardWriterStage
from synfiqa.cluster.storage.storage import Storage
from synfiqa.cluster.telemetry import metrics, run_metrics
from synfiqa.cluster.telemetry.metric_table import DEFINITIONS, LABELS, METRICS, OTHER, REASONS, STAGES, bounded
from tests.cluster.telemetry.every_event import record_every_event

ROOT = Path(__file__).parents[3]


@pytest.fixture
def recorded(monkeypatch):
    """What is recorded: name -> values by their labels' values."""
    found = defaultdict(dict)
    monkeypatch.setattr(
        metrics, "_send", lambda name, value, labels: found[name].update({tuple(labels.values()): value})
    )
    return found


def test_every_metric_has_an_event_and_every_event_a_metric(recorded):
    record_every_event("s3://b/r")
    assert recorded.keys() == METRICS.keys()


def test_names_follow_the_conventions_of_prometheus():
    for one in DEFINITIONS:
        assert re.fullmatch(r"synfiqa_[a-z][a-z_]*[a-z]", one.name)
        assert not one.name.endswith(("_total", "_ms", "_count", "_sum", "_bucket"))
        assert one.unit not in ("s", "Unix s") or one.name.endswith("_seconds")
        assert set(one.labels) <= LABELS.keys()
        assert (one.kind == "histogram") == bool(one.buckets)
        assert list(one.buckets) == sorted(one.buckets)
        assert not any(label.startswith(("unit", "shard", "identity", "sample")) for label in one.labels), "unbounded"


def test_stages_and_reasons_of_the_table_are_those_of_the_pipeline():
    stages = (
        *(IdentityGeneratorStage, IdentityFilterStage, IdentityReaderStage),
        *(ConditionalGeneratorStage, AnnotatorStage, ShardWriterStage),
    )
    assert tuple(stage.name for stage in stages) == STAGES
    assert {FEW_REFERENCES, SURPLUS} < set(REASONS)
    source = "".join((ROOT / "actors" / path).read_text() for path in PLACES_OF_REASONS)
    stated = set(re.findall(r'return "([a-z_]+)", |Rejection\("([a-z_]+)"|= "rejected", "([a-z_]+)"', source))
    assert {name for names in stated for name in names if name} | {FEW_REFERENCES, SURPLUS} == set(REASONS)


PLACES_OF_REASONS = (
    "stages/filter_rules.py",
    "stages/identity_registry.py",
    "generation/conditional/diffusion_generator.py",
)


def test_values_beyond_the_known_ones_are_one_value(recorded):
    record_every_event("r")
    assert recorded["synfiqa_rejects"] == {("r", "identities", "yaw"): 2, ("r", "identities", OTHER): 1}
    assert ("r", f"annotator+{OTHER}", "waiting") in recorded["synfiqa_workers"]
    assert bounded("run", "s3://any") == "s3://any"


def test_rows_are_counted_by_outcome_and_the_share_of_the_gpu_in_seconds(recorded):
    record_every_event("r")
    assert recorded["synfiqa_candidates"] == {("r", "accepted"): 5, ("r", "rejected"): 3, ("r", "dead"): 1}
    assert recorded["synfiqa_samples"] == {("r", "accepted"): 4}, "nothing is sent for 0"
    assert recorded["synfiqa_stage_gpu_busy_seconds"] == {("r", "annotator"): 1.5}
    assert recorded["synfiqa_training_seconds"] == {("r", "default"): 4.0}


def test_a_loss_that_is_not_finite_is_no_value(recorded):
    run_metrics.training_went_on("r", "t", steps=1, images=1, seconds=1, waited_s=0, loss=float("nan"))
    assert "synfiqa_training_loss" not in recorded


def test_labels_that_a_metric_does_not_have_are_refused():
    with pytest.raises(ValueError, match="synfiqa_units is a counter with the labels run, half"):
        metrics.add("synfiqa_units", 1, run="r")
    with pytest.raises(ValueError, match="is a gauge"):
        metrics.add("synfiqa_training_loss", 1, run="r", training="t")


def test_requests_to_a_store_are_timed_and_a_missing_object_is_an_answer(recorded, tmp_path):
    storage = Storage(str(tmp_path))
    storage.write("a", b"1")
    storage.read("a")
    with pytest.raises(FileNotFoundError):
        storage.read("b")
    assert recorded["synfiqa_store_requests"] == {("write", "done"): 1, ("read", "done"): 1}
    assert 0 < recorded["synfiqa_store_request_seconds"][("read",)] < 60

    def broken():
        raise ConnectionError

    with pytest.raises(ConnectionError):
        run_metrics.timed_request("list", broken)
    assert ("list", "failed") in recorded["synfiqa_store_requests"]


def test_an_instrument_that_fails_costs_nothing(monkeypatch):
    import ray

    monkeypatch.setattr(ray, "is_initialized", lambda: True)
    monkeypatch.setattr(metrics, "_made", lambda name: 1 / 0)
    monkeypatch.setattr(metrics, "_instruments", {})
    run_metrics.repeated("call")


def test_without_ray_it_is_not_even_imported():
    program = (
        "import sys; from tests.cluster.telemetry.every_event import record_every_event; record_every_event('r'); "
        "assert 'ray' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)
