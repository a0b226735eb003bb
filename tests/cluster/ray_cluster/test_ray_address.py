"""Addresses of Ray clusters: what is not there, or is another service, is named within seconds."""

import socket
import threading
import time

import pytest

from synfiqa.cluster.pipeline.ray_session import ray_session
from synfiqa.cluster.ray_cluster import ray_address
from synfiqa.cluster.ray_cluster.ray_address import require_reachable
from synfiqa.jobs import replay
from synfiqa.jobs.cli import main
from synfiqa.jobs.command import run_command
from synfiqa.schemas.errors import UserError


@pytest.fixture
def closed_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        yield found.getsockname()[1]


@pytest.fixture
def http_port():
    """A server that answers every connection as a dashboard answers a request that is not HTTP."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


def test_a_cluster_that_is_not_there_is_named_with_host_and_port(monkeypatch, capsys, closed_port):
    """Ray tried for 13 minutes and 48 seconds, and wrote warnings about a host that the user had not named."""
    monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{closed_port}")

    def job():
        with ray_session():
            raise AssertionError("nothing to join")

    start = time.monotonic()
    assert run_command(job) == 2
    assert time.monotonic() - start < 15
    (line,) = capsys.readouterr().err.splitlines()
    assert f"port {closed_port} of host 127.0.0.1 does not answer (connection refused)" in line


def test_another_service_on_the_port_is_not_taken_for_ray(monkeypatch, http_port):
    monkeypatch.setattr(ray_address, "SPEAK_S", 1.0)
    with pytest.raises(UserError, match=f"port {http_port} of host 127.0.0.1 is not Ray's control service"):
        require_reachable(f"127.0.0.1:{http_port}")


def test_a_host_without_an_address_is_named():
    with pytest.raises(UserError, match=r"port 6379 of host no-such-host\.invalid does not answer"):
        require_reachable("no-such-host.invalid:6379")


@pytest.mark.parametrize(
    ("address", "what"),
    [
        ("http://127.0.0.1:8265", "the address for `ray job submit`"),
        ("https://head:8265", "the address for `ray job submit`"),
        ("ray://127.0.0.1:10001", "an address of Ray Client"),
    ],
)
def test_addresses_of_other_kinds_are_named_with_what_to_use_instead(address, what):
    """`http://` ended in the first half of a sentence of Ray's, `ray://` in minutes of silence."""
    with pytest.raises(UserError, match=what) as error:
        require_reachable(address)
    assert "host:port" in str(error.value)
    assert "ray job submit" in str(error.value)


@pytest.mark.parametrize("address", ["head", "head:", ":6379", "head:70000", "tcp://head:6379", "6379"])
def test_what_is_not_host_and_port_is_refused(address):
    with pytest.raises(UserError, match="not host:port"):
        require_reachable(address)


def test_auto_and_local_name_no_host():
    require_reachable("auto")
    require_reachable("local")


@pytest.mark.parametrize(
    "job",
    [
        *(["run"], ["generate"], ["train"], ["replay", "--dead"], ["bootstrap"]),
        *(["label"], ["verify"], ["export", "--out", "out"]),
    ],
)
def test_every_job_that_uses_ray_looks_at_the_address_first(monkeypatch, capsys, tmp_path, closed_port, job):
    """Imports and the check of all weights came first, half a minute on a busy machine."""
    monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{closed_port}")
    where = {"replay": ["--run", str(tmp_path)], "verify": [str(tmp_path)], "bootstrap": []}.get(
        job[0], ["configs/quickstart.yaml"]
    )
    monkeypatch.setattr(replay, "config_of_run", lambda *_: None)
    with pytest.raises(SystemExit) as end:
        main([*job, *where])
    assert end.value.code == 2
    assert f"port {closed_port} of host 127.0.0.1 does not answer" in capsys.readouterr().err
