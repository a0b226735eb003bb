"""A job on the cluster of a RayJob: head without CPUs, no workers, an autoscaler; a spot machine and the driver die."""

import json
import shlex
import time
from contextlib import ExitStack

import pytest
import yaml

from synfiqa.cluster.pipeline.ray_session import prepare_environment
from synfiqa.cluster.storage.storage import Storage
from synfiqa.cluster.upkeep.verify import verify_run
from tests.chaos.driver import Order, config_of
from tests.chaos.oracle import expected
from tests.chaos.processes import Driver
from tests.chaos.raylets import give_notice
from tests.cluster.deploy.live.fake_cloud import fake_cloud
from tests.cluster.deploy.rendered import rendered

pytestmark = [pytest.mark.ray, pytest.mark.e2e, pytest.mark.timeout(600)]

PATIENCE_S = 180.0
NOTICE_S = 5.0
IDENTITIES = 24
STORE = ("--run", "s3://bucket/run")
"""Of the file alone, which refuses a folder; the machines here share a disk."""
POOL = {"pool": "small"}
PLACEMENT = {"mode": "split", "device": "cpu", "labels": {"annotator": POOL}}


def test_a_lost_spot_machine_and_a_killed_driver_leave_the_dataset_of_a_quiet_run(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    prepare_environment()
    log, run = tmp_path / "work.log", tmp_path / "run"
    order = Order(str(run), {"placement": PLACEMENT}, {"seconds": 0.2, "log": str(log)})

    def shards():
        return len(list((run / "commits").glob("shard-*.json")))

    def work():
        """Return stage and machine of each unit so far."""
        return [line.split()[::3] for line in log.read_text().splitlines()] if log.exists() else []

    cluster = rendered_cluster(capsys, tmp_path, order)
    environment = {"RAY_AUTH_MODE": "disabled", **container_environment(cluster)}

    def start(log):
        driver = Driver(order, cloud.address, environment, tmp_path / log)
        ends.callback(driver.kill)
        return driver

    with (
        fake_cloud(cluster["available_node_types"], cluster["head_node_type"], tmp_path) as cloud,
        ExitStack() as ends,
    ):
        assert cloud.machines() == {}
        driver = start("first.log")
        until(driver, "the job has machines, and a shard", shards)
        machines = cloud.nodes()
        annotators = {machine for stage, machine in work() if stage == "annotator"}
        assert len(machines) == 2
        assert annotators == {name for name, labels in machines.items() if labels.get("pool") == "small"}
        (lost,) = annotators
        give_notice(cloud.address, lost, NOTICE_S)
        time.sleep(NOTICE_S)
        assert not driver.ended(), driver.words()
        cloud.machines()[lost].kill()
        driver.kill()
        assert shards() < IDENTITIES // 2, "the run was complete before anything was lost"
        driver = start("second.log")
        until(driver, "the second driver ends", driver.ended)
        assert driver.wait(1) == 0, driver.words()
        successors = {machine for stage, machine in work() if stage == "annotator"} - annotators
        assert len(successors) == 1, "the autoscaler replaces the lost machine, and the labelled stage runs there"
    wanted = expected(0.0, str(tmp_path), IDENTITIES)
    summary = json.loads((run / "dataset.json").read_text())
    assert summary == {**wanted.model_dump(), "rejected": summary["rejected"]}
    assert verify_run(Storage(str(run))).problems == []


def rendered_cluster(capsys, folder, order):
    """Return the file for `ray up` that the command prints for the config of an order."""
    config = folder / "config.yaml"
    config.write_text(yaml.safe_dump(config_of(order).model_dump(mode="json", exclude_defaults=True)))
    options = ("--nodes", "1", "--cpus", "2", *STORE)
    return yaml.safe_load(rendered(capsys, "ray-up", *options, config=str(config)))


def container_environment(cluster):
    """Return the variables that the file gives to its containers, as the shell on a machine reads them."""
    words = shlex.split(" ".join(cluster["docker"]["run_options"]))
    return dict(word.removeprefix("--env=").split("=", 1) for word in words if word.startswith("--env="))


def until(driver, what, condition):
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert not driver.ended(), f"{what}: not before the end: {driver.words()}"
        assert time.monotonic() < deadline, f"{what}: not within {PATIENCE_S:g} s: {driver.words()}"
        time.sleep(0.1)
