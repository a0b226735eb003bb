"""Idle workers of a run with another driver end: those of a suspended driver held the GPUs that its heir waited for."""

import threading
import time

import pytest

from synfiqa.cluster.pipeline.ray_session import ray_session
from synfiqa.cluster.pipeline.stream import stream
from synfiqa.cluster.ray_cluster.taken_over import end_when_taken_over
from synfiqa.cluster.ray_cluster.worker_states import alive_actors
from synfiqa.cluster.run.lease import Claim, hold
from synfiqa.cluster.run.lease_record import encode_lease, epoch_path
from synfiqa.cluster.storage.storage import Storage
from synfiqa.schemas.config.cluster import PlacementSection
from synfiqa.schemas.errors import RunHeld, StorageUnavailable
from tests.cluster.toy_stages import AddOne, toy_units


class Answers:
    """A claim whose checks raise what is given, one after the other."""

    ttl_s = 0.0

    def __init__(self, *answers):
        self.answers = list(answers)

    def check(self):
        if answer := self.answers.pop(0):
            raise answer


def ended_after(claim, idle, seconds, monkeypatch):
    monkeypatch.setattr("synfiqa.cluster.ray_cluster.taken_over.LEAST_PAUSE_S", 0.01)
    ended = threading.Event()
    end_when_taken_over(claim, idle, ended.set)
    return ended.wait(seconds)


def test_an_idle_worker_ends_when_the_run_is_taken_over_and_outlives_an_outage(monkeypatch):
    claim = Answers(None, StorageUnavailable("no answer"), RunHeld("another driver"))
    assert ended_after(claim, lambda: True, 10, monkeypatch)
    assert claim.answers == []


def test_a_worker_in_a_unit_does_not_even_read_the_lease(monkeypatch):
    claim = Answers(RunHeld("another driver"))
    assert not ended_after(claim, lambda: False, 0.3, monkeypatch)
    assert len(claim.answers) == 1


@pytest.mark.ray
def test_workers_of_a_driver_that_does_nothing_give_their_resources_back(tmp_path):
    storage = Storage(str(tmp_path / "run"))
    with ray_session(num_cpus=2), hold(storage, ttl_s=1.0) as lease:
        placement = PlacementSection(workers=1)
        results = stream([AddOne()], toy_units(3), storage, placement, ordered=True, claim=lease.claim)
        next(results)
        name = "MapWorker(MapBatches(add_one))"
        assert alive_actors(name) == 1
        # Like a driver that is stopped, this one takes no further result and does not end its workers.
        heir = Claim(storage, lease.epoch + 1, "heir", 1.0)
        storage.create(epoch_path(heir.epoch), encode_lease(lease._record.model_copy(update={"owner": heir.owner})))
        deadline = time.monotonic() + 60
        while alive_actors(name) and time.monotonic() < deadline:
            time.sleep(0.2)
        assert alive_actors(name) == 0
        results.close()
