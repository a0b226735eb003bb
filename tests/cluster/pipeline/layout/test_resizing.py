"""Pools follow a real cluster: nodes that join work, nodes that are lost or drained cost their units only."""

import time
from dataclasses import replace
from pathlib import Path

import pytest
import ray

from synfiqa.cluster.pipeline import watched_execution
from synfiqa.cluster.pipeline.layout import resizing, room
from synfiqa.cluster.pipeline.stage import Resources, Work
from synfiqa.cluster.pipeline.stream import stream
from synfiqa.cluster.ray_cluster.nodes import alive_nodes
from synfiqa.cluster.storage.storage import Storage
from synfiqa.schemas.config.cluster import PlacementSection, ResilienceSection
from synfiqa.schemas.errors import JobFailed
from tests.cluster.ray_cluster.free_ports import add_node, joined
from tests.cluster.toy_stages import AddOne, toy_units

SHORT = ResilienceSection(placement_wait_s=1)

pytestmark = pytest.mark.ray


class Located(AddOne):
    """Notes on which node it works; slow until a file exists."""

    name = "located"
    resources = Resources(1.0)

    def __init__(self, hurry: Path, seconds: float) -> None:
        self._hurry, self._seconds = hurry, seconds

    def process(self, work: Work) -> Work:
        time.sleep(0.05 if self._hurry.exists() else self._seconds)
        done = super().process(work)
        return replace(done, notes={"node": ray.get_runtime_context().get_node_id()})


class BrokenThere(Located):
    """Cannot load its model on one node."""

    name = "broken_there"

    def __init__(self, hurry: Path, node: str) -> None:
        super().__init__(hurry, 0.2)
        self._node = node

    def setup(self) -> None:
        if ray.get_runtime_context().get_node_id() == self._node:
            raise FileNotFoundError("no such weights")


class OnGpu(AddOne):
    name = "on_gpu"
    resources = Resources(1.0, 1.0)


@pytest.fixture(scope="module")
def cluster():
    with joined(num_cpus=1) as found:
        yield found


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr(watched_execution, "LOOK_S", 0.5)
    monkeypatch.setattr(resizing, "EXCHANGE_S", 2.0)


@pytest.fixture
def storage(tmp_path):
    return Storage(str(tmp_path / "run"))


@pytest.fixture
def hurry(tmp_path):
    return tmp_path / "hurry"


def _until(results, hurry, found, limit=60.0):
    """Yield results; once one is from a node in `found`, or the limit is over, let the rest be quick."""
    began = time.monotonic()
    for result in results:
        if result.notes["node"] in found or time.monotonic() - began > limit:
            hurry.touch()
        yield result


def test_a_node_that_joins_works_within_a_minute(cluster, storage, hurry):
    """A head with one CPU had the whole half to itself, whatever joined after its first shard."""
    results = stream([Located(hurry, 2.0)], toy_units(90), storage, PlacementSection())
    done = [next(results), next(results)]
    joined = add_node(cluster, num_cpus=2)
    try:
        done += _until(results, hurry, {joined.node_id})
        assert sorted(result.number for result in done) == list(range(90))
        assert joined.node_id in {result.notes["node"] for result in done}
    finally:
        _remove(cluster, joined)


def test_units_of_a_lost_node_are_made_though_no_place_is_free(cluster, storage, hurry):
    """They were bound to a worker that got no place: they came last, and in this ordered stream all waited for them."""
    lost = add_node(cluster, num_cpus=1)
    results = stream([Located(hurry, 0.7)], toy_units(300), storage, PlacementSection(), ordered=True)
    done, first, came = [], 0, 300
    for result in results:
        done.append(result.number)
        if lost and result.notes["node"] == lost.node_id:
            cluster.remove_node(lost, allow_graceful=False)
            lost, first = None, result.number
        # What the lost worker had taken by then is among the next.
        if not lost and not hurry.exists() and set(range(first + 6)) <= set(done):
            hurry.touch()
            came = len(done)
    assert done == list(range(300))
    assert came < 280


def test_a_node_whose_set_ups_fail_is_set_aside_with_a_sentence(cluster, storage, hurry, capsys):
    """One worker that could not load its model ended the run without a commit, at every submit."""
    bad = add_node(cluster, num_cpus=1)
    try:
        results = list(stream([BrokenThere(hurry, bad.node_id)], toy_units(40), storage, PlacementSection()))
        assert sorted(result.number for result in results) == list(range(40))
        assert bad.node_id not in {result.notes["node"] for result in results}
        said = capsys.readouterr().err
        assert said.count("is set aside, since workers cannot start there: the workers cannot set up broken_there") == 1
        assert "no such weights" in said
    finally:
        _remove(cluster, bad)


def test_gpus_that_are_demanded_are_waited_for(cluster, storage, monkeypatch):
    """Such a run was refused, or made on CPUs, because the nodes with GPUs came a minute later."""
    said, came = [], []

    def come(text):
        said.append(text)
        came.extend([] if came else [add_node(cluster, num_cpus=1, num_gpus=1)])

    monkeypatch.setattr(room, "announce", come)
    results = stream([OnGpu()], toy_units(3), storage, PlacementSection(device="cuda"))
    assert sorted(result.number for result in results) == [0, 1, 2]
    assert said[0].startswith("waiting for nodes (placement.device is cuda but the cluster has no GPU")
    _remove(cluster, came[0])
    with pytest.raises(JobFailed, match=r"no GPU.*placement_wait_s"):
        list(stream([OnGpu()], toy_units(3), storage, PlacementSection(device="cuda"), SHORT))


def _remove(cluster, node):
    cluster.remove_node(node, allow_graceful=False)
    while len(alive_nodes()) > 1:
        time.sleep(0.5)
