"""A cluster of another Ray or Python is named with both versions, within seconds, before Ray is imported."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
import ray

from synfiqa.cluster.pipeline.ray_session import ray_session
from synfiqa.cluster.ray_cluster import ray_version
from synfiqa.cluster.ray_cluster.ray_start import join
from synfiqa.cluster.ray_cluster.ray_version import Versions, cluster_versions, own_versions, versions_in
from synfiqa.jobs.command import run_command
from synfiqa.schemas.errors import UserError

OWN = own_versions()
OTHER = Versions("2.9.3", "3.10.12")
MESSAGE = f"""Version mismatch: The cluster was started with:
    Ray: {OTHER.ray}
    Python: {OTHER.python}
This process on node 10.0.0.9 was started with:
    Ray: {OWN.ray}
    Python: {OWN.python}
"""
"""What `ray.init` raises, in `ray._private.utils.check_version_info`."""


class ControlService(grpc.GenericRpcHandler):
    """A control service that states versions as Ray's does: InternalKVGetReply has the value in its field 2."""

    def __init__(self, versions, slow=0.0, *, token=False):
        self.stated, self.asked, self.slow, self.token = versions, [], slow, token

    def service(self, call):
        if call.method != "/ray.rpc.InternalKVGcsService/InternalKVGet":
            return None
        return grpc.unary_unary_rpc_method_handler(self.answer)

    def answer(self, request, context):
        from ray.core.generated import gcs_service_pb2 as protocol

        asked = protocol.InternalKVGetRequest.FromString(request)
        self.asked.append((asked.namespace, asked.key))
        if self.token:
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "InvalidAuthToken: Authentication token is missing")
        time.sleep(self.slow)
        document = {"ray_version": self.stated.ray, "python_version": self.stated.python, "git_commit": "x"}
        return protocol.InternalKVGetReply(value=json.dumps(document).encode()).SerializeToString()


@pytest.fixture
def serve():
    """Return a function that serves versions and returns the address."""
    servers = []

    def start(versions, **settings):
        service = ControlService(versions, **settings)
        server = grpc.server(ThreadPoolExecutor(2), handlers=(service,))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        servers.append(server)
        return f"127.0.0.1:{port}", service

    yield start
    for server in servers:
        server.stop(None)


def test_a_cluster_of_another_ray_is_one_sentence_with_both_versions_and_exit_2(serve, monkeypatch, capsys):
    """The sentence ended in `Version mismatch: The cluster was started with`, without any version."""
    address, service = serve(OTHER)
    monkeypatch.setenv("RAY_ADDRESS", address)

    def job():
        with ray_session():
            raise AssertionError("nothing to join")

    start = time.monotonic()
    assert run_command(job) == 2
    assert time.monotonic() - start < 15
    (line,) = capsys.readouterr().err.splitlines()
    assert f"at {address}: it runs Ray 2.9.3 with Python 3.10.12, and this process Ray {OWN.ray} with Python" in line
    assert f"start the cluster with Ray {OWN.ray}" in line
    assert service.asked == [(b"cluster", b"CLUSTER_METADATA")]


def test_equal_versions_and_services_that_state_none_pass(serve):
    address, _ = serve(OWN)
    assert cluster_versions(address) == OWN
    ray_version.require_same_version(address, address)
    assert cluster_versions("127.0.0.1:1") is None


def test_a_cluster_that_asks_for_a_token_is_named_with_the_variable_to_set(serve, monkeypatch):
    """After `ray start --head` of Ray 2.60 a job wrote 20 lines of Ray's, then said that the cluster was not there."""
    address, _ = serve(OWN, token=True)
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    with pytest.raises(UserError, match=f"at {address}: it asks for a token, .*set RAY_AUTH_MODE=token"):
        ray_version.require_same_version(address, address)
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    ray_version.require_same_version(address, address)


def test_a_service_that_does_not_answer_is_left_to_ray(serve, monkeypatch):
    monkeypatch.setattr(ray_version, "READ_S", 0.2)
    address, _ = serve(OTHER, slow=1.0)
    assert cluster_versions(address) is None


def test_the_last_number_of_python_counts_as_it_does_for_ray(monkeypatch):
    patched = Versions(OWN.ray, OWN.python.rpartition(".")[0] + ".99")
    assert not patched.fit(OWN)
    monkeypatch.setenv("RAY_DEFAULT_PYTHON_VERSION_MATCH_LEVEL", "minor")
    assert patched.fit(OWN)
    assert not Versions("2.9.3", OWN.python).fit(OWN)


def test_rays_own_message_gives_the_same_sentence(monkeypatch):
    """Where the service needs certificates or a token, only Ray finds out."""

    def init(**_):
        raise RuntimeError(MESSAGE)

    monkeypatch.setattr(ray, "init", init)
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    with pytest.raises(UserError, match=r"it runs Ray 2\.9\.3 with Python 3\.10\.12, and this process Ray"):
        join("auto")
    assert versions_in("cannot connect") is None
