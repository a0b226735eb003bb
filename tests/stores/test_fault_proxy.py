"""The proxy injects the configured faults and nothing else."""

import random
import subprocess
import sys
import time

import pytest

from synfiqa.cluster.storage.storage import Storage
from tests.stores.fault_proxy import FAULTS, FaultProxy, Rule


def test_requests_without_a_fault_are_unchanged(faulty, bucket):
    server, proxy = faulty
    storage = Storage(server.url(server.make_bucket(bucket) + "/run"), 0)
    data = random.Random(1).randbytes(3_000_000)
    storage.write("a", data)
    assert storage.read("a") == data
    assert not proxy.struck


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_is_seen_by_a_client_that_does_not_retry(faulty, bucket, fault, monkeypatch):
    """Uploads are the requests that have a body to cut; downloads have an answer to cut."""
    server, proxy = faulty
    storage = Storage(server.url(server.make_bucket(bucket) + "/run"), 0)
    storage.write("a", b"x" * 10_000)
    if fault == "stall":  # The other faults need no wait; a busy server must not look stalled.
        monkeypatch.setattr("synfiqa.cluster.storage.s3.STALL_S", 0.3)
    proxy.stall_s = 60
    proxy.rules = [Rule(fault)]
    with pytest.raises(Exception, match=r"cannot .* for longer than 0 s"):
        storage.write("a", b"y" * 10_000) if fault == "cut_upload" else storage.read("a")
    assert proxy.struck[fault]


def test_delayed_requests_are_slow_and_whole(faulty, bucket):
    server, proxy = faulty
    storage = Storage(server.url(server.make_bucket(bucket) + "/run"), 0)
    proxy.rules = [Rule("delay", "PUT", times=1, delay_s=0.3)]
    began = time.monotonic()
    storage.write("a", b"x" * 10_000)
    assert time.monotonic() - began >= 0.3
    assert storage.read("a") == b"x" * 10_000
    assert proxy.struck == {"delay": 1}


def test_rules_count_the_requests_they_match():
    rule = Rule("slow_down", "PUT", path="/b/", skip=1, times=2)
    requests = [("GET", "/b/x"), ("PUT", "/c/x"), ("PUT", "/b/x"), ("PUT", "/b/y"), ("PUT", "/b/z"), ("PUT", "/b/w")]
    assert [rule.strikes(*request) for request in requests] == [False, False, False, True, True, False]


def test_a_seed_determines_the_plan():
    def plan(seed):
        proxy = FaultProxy("127.0.0.1:1", seed=seed, rate=0.2)
        return [rule.fault if (rule := proxy._choose("PUT", "/")) else "" for _ in range(2000)]

    assert plan(1) == plan(1) != plan(2)
    struck = [fault for fault in plan(1) if fault]
    assert len(struck) == pytest.approx(400, abs=60)
    assert set(struck) == set(FAULTS)


def test_it_runs_as_a_program(rclone_server, monkeypatch, bucket):
    command = [sys.executable, "-m", "tests.stores.fault_proxy", "--upstream", rclone_server.address]
    options = ["--listen", "0", "--seed", "3", "--rate", "0.5", "--faults", "slow_down,internal_error"]
    process = subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True)
    try:
        server = rclone_server.at(process.stdout.readline().strip())
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        rclone_server.make_bucket(bucket)
        storage = Storage(server.url(bucket), 30)
        for number in range(10):
            storage.write(str(number), b"x")
        assert len(storage.list()) == 10
    finally:
        process.terminate()
        process.wait()
