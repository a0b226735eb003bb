"""A function mapped over shards as tasks of a cluster: order, errors, lost workers; and in this process without one."""

import os
import signal
import time
from functools import partial

import pytest
import ray

from synfiqa.cluster.pipeline import shard_tasks
from synfiqa.cluster.pipeline.shard_tasks import MOST_SHARDS, ShardTasks
from synfiqa.cluster.ray_cluster import ray_address
from synfiqa.cluster.ray_cluster.ray_address import cluster_at_hand
from synfiqa.cluster.storage.storage import Storage
from synfiqa.schemas.errors import JobFailed, RunHeld, StorageRefused, UserError
from tests.cluster.joined_cluster import joined_cluster

pytestmark = pytest.mark.ray


@pytest.fixture(scope="module")
def cluster():
    with joined_cluster() as cluster:
        yield cluster


@pytest.fixture
def tasks(cluster, tmp_path):
    storage = Storage(str(tmp_path / "run"))
    storage.write("run.json", b"{}")
    return ShardTasks("label", storage, threads=2)


def process_of(shard):
    return shard, os.getpid()


def slow_first(shard):
    time.sleep(0.5 if shard == 0 else 0)
    return shard


def failing(error, shard):
    if shard == 3:
        raise error
    return shard


def ends_its_process(folder, once, shard):
    if shard == 5 and not (once and (folder / "died").exists()):
        with (folder / "died").open("a") as deaths:
            deaths.write("one\n")
        os.kill(os.getpid(), signal.SIGKILL)
    return shard


def test_results_come_in_order_from_other_processes(tasks):
    assert cluster_at_hand()
    found = list(tasks.map(process_of, range(3 * MOST_SHARDS)))
    assert [shard for shard, _ in found] == list(range(3 * MOST_SHARDS))
    assert os.getpid() not in {process for _, process in found}


def test_results_come_as_they_are_ready_where_order_does_not_matter(tasks):
    found = list(tasks.map(slow_first, range(40), ordered=False))
    assert sorted(found) == list(range(40))
    assert found[0] != 0


def test_nothing_is_mapped_to_nothing(tasks):
    assert list(tasks.map(process_of, ())) == []


@pytest.mark.parametrize(
    ("error", "code"),
    [(UserError("a"), 2), (JobFailed("b"), 1), (RunHeld("c"), 4), (StorageRefused("d"), 2)],
    ids=lambda value: type(value).__name__,
)
def test_an_error_comes_back_as_itself_after_the_results_before_it(tasks, error, code):
    results = tasks.map(partial(failing, error), range(9))
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(type(error), match=str(error)) as raised:
        list(results)
    assert type(raised.value) is type(error)
    assert raised.value.exit_code == code


def test_another_error_is_one_sentence(tasks):
    with pytest.raises(JobFailed, match=r"^label could not go on: a task failed on the cluster \(no such thing\); "):
        list(tasks.map(partial(failing, ValueError("no such thing")), range(9)))


def test_a_worker_that_is_killed_costs_a_retry(tasks, tmp_path):
    assert list(tasks.map(partial(ends_its_process, tmp_path, True), range(20))) == list(range(20))
    assert (tmp_path / "died").read_text() == "one\n"


def test_a_shard_that_always_ends_its_process_ends_the_job(tasks, tmp_path, monkeypatch):
    monkeypatch.setattr(shard_tasks, "RETRIES", 1)
    with pytest.raises(JobFailed, match="label could not go on: a task failed on the cluster"):
        list(tasks.map(partial(ends_its_process, tmp_path, False), range(20)))
    assert (tmp_path / "died").read_text() == "one\n" * 2


def test_a_node_that_does_not_see_the_run_is_named(cluster, tmp_path):
    with pytest.raises(UserError, match=r"does not see .*/elsewhere/run\.json: keep the run on a store"):
        list(ShardTasks("verify", Storage(str(tmp_path / "elsewhere"))).map(process_of, range(2)))


def test_a_run_in_the_memory_of_this_process_is_mapped_here(cluster):
    """A worker looked for it in its own memory and reported that the node does not see the run."""
    assert cluster_at_hand()
    assert list(ShardTasks("label", Storage("memory://mapped/run")).map(process_of, range(2))) == [
        (0, os.getpid()),
        (1, os.getpid()),
    ]


def test_a_node_with_other_libraries_is_named(tasks, monkeypatch):
    monkeypatch.setattr(shard_tasks, "library_version", lambda name: "0.1")
    with pytest.raises(UserError, match=r"has other libraries than the driver, .*\(numpy .*, not 0\.1; pyarrow "):
        list(tasks.map(process_of, range(2)))


def test_tasks_left_over_are_cancelled(tasks):
    results = tasks.map(process_of, range(1000))
    next(results)
    results.close()
    deadline = time.monotonic() + 30
    while ray.available_resources().get("CPU") != 2:
        assert time.monotonic() < deadline, "tasks go on"
        time.sleep(0.2)


def test_a_ray_of_its_own_is_no_cluster(tasks, monkeypatch):
    monkeypatch.setattr(ray_address, "own_cluster", lambda: True)
    assert not cluster_at_hand()
    assert list(tasks.map(process_of, range(2))) == [(0, os.getpid()), (1, os.getpid())]


@pytest.mark.parametrize(
    ("address", "wanted"), [("", False), ("local", False), ("auto", True), ("10.0.0.1:6379", True)]
)
def test_an_address_in_the_environment_is_a_cluster(monkeypatch, address, wanted):
    monkeypatch.setattr(ray_address, "own_cluster", lambda: True)
    monkeypatch.setenv("RAY_ADDRESS", address)
    assert cluster_at_hand() is wanted
