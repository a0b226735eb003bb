"""Pytest fixtures of the S3 servers, imported by `tests/conftest.py`."""

import uuid

import pytest

from tests.stores import servers
from tests.stores.fault_proxy import FaultProxy


@pytest.fixture(scope="session")
def rclone_server(tmp_path_factory):
    """A store without create-if-absent that checks credentials."""
    with servers.rclone(tmp_path_factory.mktemp("rclone")) as server:
        yield server


@pytest.fixture(scope="session")
def moto_server():
    """A store with create-if-absent that takes any credentials."""
    with servers.moto() as server:
        yield server


@pytest.fixture
def rclone(rclone_server, monkeypatch):
    """The server, with this process's environment set to it."""
    return _use(rclone_server, monkeypatch)


@pytest.fixture
def moto(moto_server, monkeypatch):
    """The server, with this process's environment set to it."""
    return _use(moto_server, monkeypatch)


@pytest.fixture
def bucket():
    """A name that no other test uses."""
    return f"bucket-{uuid.uuid4().hex[:12]}"


@pytest.fixture(scope="session")
def rclone_proxy(rclone_server):
    with FaultProxy(rclone_server.address) as proxy:
        yield proxy


@pytest.fixture(scope="session")
def moto_proxy(moto_server):
    with FaultProxy(moto_server.address) as proxy:
        yield proxy


@pytest.fixture
def faulty(rclone_server, rclone_proxy, monkeypatch):
    """Rclone behind a fault proxy: the pair (server, proxy)."""
    rclone_proxy.reset()
    return _use(rclone_server.at(rclone_proxy.endpoint), monkeypatch), rclone_proxy


@pytest.fixture
def faulty_moto(moto_server, moto_proxy, monkeypatch):
    """Moto behind a fault proxy: the pair (server, proxy)."""
    moto_proxy.reset()
    return _use(moto_server.at(moto_proxy.endpoint), monkeypatch), moto_proxy


def _use(server, monkeypatch):
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    return server
