"""A generate job on a real Ray, models taken out: the same dataset for any number of workers and any layout."""

import time

import pytest

from synfiqa.actors.model_store.resolved_run import VerifiedWeights
from synfiqa.cluster.pipeline.ray_session import ray_session
from synfiqa.cluster.run.generations import current
from synfiqa.cluster.storage.storage import Storage
from synfiqa.cluster.upkeep.utilisation import read_trace
from synfiqa.cluster.upkeep.verify import verify_run
from synfiqa.jobs.generation import dataset as generate
from synfiqa.jobs.generation import readiness as check
from synfiqa.schemas.errors import TooManyDead
from tests.chaos.driver import MODELS, Order, config_of
from tests.chaos.oracle import expected
from tests.chaos.stub_stages import Trouble, stub_stages

pytestmark = [pytest.mark.ray, pytest.mark.timeout(900)]


@pytest.fixture(scope="module", autouse=True)
def _ray():
    with ray_session(num_cpus=4):
        yield


def run(folder, trouble, **settings):
    config = config_of(Order(str(folder), settings))
    return generate.run_generate(config, current(config.run.url), stages=stub_stages(trouble))


@pytest.fixture(autouse=True)
def _no_models(monkeypatch):
    monkeypatch.setattr(check, "verify_weights", lambda run: VerifiedWeights({}, MODELS))


@pytest.mark.parametrize(
    "placement",
    [{"mode": "fused", "workers": 1}, {"mode": "split", "workers": 2}, {"mode": "fused", "workers": 8}],
    ids=str,
)
def test_workers_and_layout_change_nothing(tmp_path, tmp_path_factory, placement):
    """Equal to a plain loop over the same stages; units take random times, so that they finish out of order."""
    file_format = "webdataset" if placement["workers"] == 2 else "parquet"
    summary = run(tmp_path / "run", Trouble(jitter=0.1), placement=placement, storage={"format": file_format})
    assert summary.digest == expected(0.0, str(tmp_path_factory.mktemp("oracle")), 24).digest
    assert verify_run(Storage(str(tmp_path / "run"))).problems == []
    trace = read_trace(Storage(str(tmp_path / "run")))
    assert {stage.half for stage in trace.stages} == {"identities", "samples"}
    assert "shard_writer" not in {stage.stage for stage in trace.stages}, "its own commit is made before it ends"
    assert {
        len({stage.units for stage in trace.stages if stage.half == half}) for half in ("identities", "samples")
    } == {1}


def test_a_dead_rate_above_the_limit_stops_the_run_within_a_minute(tmp_path):
    started = time.monotonic()
    with pytest.raises(TooManyDead, match=r"are dead \(.*poison"):
        run(tmp_path / "run", Trouble(poison=0.2), resilience={"max_dead_rate": 0.02})
    assert time.monotonic() - started < 60
