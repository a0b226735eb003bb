"""Waits of real executions: workers without a place, a GPU that is lost, units that take longer than the limit."""

import logging
import time
from pathlib import Path

import pytest
import ray.data
from ray.data.exceptions import omit_traceback_stdout

from synfiqa.cluster.pipeline import stream as pipeline
from synfiqa.cluster.pipeline import waits, watched_execution
from synfiqa.cluster.pipeline.ray_session import ray_session
from synfiqa.cluster.pipeline.stage import Resources, Work
from synfiqa.cluster.pipeline.stream import stream
from synfiqa.cluster.storage.storage import Storage
from synfiqa.schemas.config.cluster import PlacementSection, ResilienceSection
from synfiqa.schemas.errors import JobFailed
from tests.cluster.ray_cluster.free_ports import add_node, joined
from tests.cluster.toy_stages import AddOne, Ponder, toy_units

ONE_WORKER = PlacementSection(workers=1)

pytestmark = pytest.mark.ray


class WholeGpu(AddOne):
    """Takes a second a unit until a file exists."""

    name = "whole_gpu"
    resources = Resources(1, 1.0)

    def __init__(self, hurry: Path) -> None:
        self._hurry = hurry

    def process(self, work: Work) -> Work:
        time.sleep(0 if self._hurry.exists() else 1.0)
        return super().process(work)


class QuarterGpu(AddOne):
    name = "quarter_gpu"
    resources = Resources(1, 0.25)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr(watched_execution, "LOOK_S", 0.5)
    for name, seconds in (("FIRST_WORD_S", 1.0), ("START_S", 20.0), ("LAY_OUT_ANEW_S", 3.0)):
        monkeypatch.setattr(waits, name, seconds)


@pytest.fixture
def storage(tmp_path):
    return Storage(str(tmp_path / "run"))


def test_labels_without_a_node_and_a_stall_end_in_a_sentence(storage, capsys):
    """Both waited for two hours, then ended in a traceback of Ray Data's."""
    with ray_session(num_cpus=2):
        nowhere = PlacementSection(mode="split", labels={"add_one": {"pool": "none"}})
        with pytest.raises(JobFailed, match=r"add_one had no worker for .*none of the 1 nodes has the label pool=none"):
            list(stream([AddOne()], toy_units(2), storage, nowhere, ResilienceSection(placement_wait_s=4)))
        assert "add_one: 1 of 1 worker without a place" in capsys.readouterr().err

        stalled = ResilienceSection(stall_s=1)
        with pytest.raises(JobFailed, match=r"made no progress for .*no unit is finished yet"):
            list(stream([Ponder(60)], toy_units(2), storage, ONE_WORKER, stalled))

        # The measured unit of 1.5 s raises the limit from 1 s to 15.
        assert len(list(stream([Ponder(1.5)], toy_units(3), storage, ONE_WORKER, stalled))) == 3
        assert storage.list("attempts") == []


@pytest.mark.parametrize(("error", "lines"), [(JobFailed("one sentence"), 0), (RuntimeError("a bug"), 2)])
def test_an_error_of_a_watched_execution_is_not_logged_as_a_bug_of_ray(error, lines):
    """A refusal stood below 25 lines of stack trace and the request to open an issue of Ray."""
    records = []
    logger, handler = logging.getLogger("ray.data.exceptions"), logging.Handler()
    handler.emit = records.append
    logger.addHandler(handler)

    @omit_traceback_stdout
    def end():
        raise error

    key = watched_execution.watch(ray.data.DataContext.get_current(), None)
    try:
        with pytest.raises(type(error)):
            end()
    finally:
        watched_execution.unwatch(key)
        logger.removeHandler(handler)
    assert len(records) == lines


def test_a_run_that_loses_a_gpu_goes_on_with_the_other(storage, tmp_path, monkeypatch):
    """Planned for two GPUs, with one left: no unit in 125 s, and no word."""
    said, hurry = [], tmp_path / "hurry"
    monkeypatch.setattr(pipeline, "announce", lambda text: (said.append(text), hurry.touch()))
    with joined(num_cpus=2, num_gpus=1) as cluster:
        lost = add_node(cluster, num_cpus=2, num_gpus=1)
        results = stream([WholeGpu(hurry), QuarterGpu()], toy_units(90), storage, PlacementSection())
        numbers = [next(results).number]
        cluster.remove_node(lost, allow_graceful=False)
        numbers += [result.number for result in results]
        assert sorted(numbers) == list(range(90))
        assert said == ["2 of 4 CPUs are left and 1 of 2 GPUs are left: the stages are laid out anew"]
