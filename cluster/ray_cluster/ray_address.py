"""Checks the address of a Ray cluster before Ray tries to join it, which without an answer takes it a quarter hour."""

import os
import socket
import sys

from synfiqa.cluster.ray_cluster.autoscaler import own_cluster
from synfiqa.cluster.ray_cluster.ray_version import require_same_version
from synfiqa.schemas.errors import UserError

CONNECT_S = 5.0
"""Seconds until a host that does not answer counts as unreachable."""
SPEAK_S = 8.0
"""Seconds until a port that accepts connections, but does not speak Ray's protocol, counts as another service."""

_SCHEMES = {
    "http": "the address for `ray job submit`",
    "https": "the address for `ray job submit`",
    "ray": "an address of Ray Client, which does not carry these jobs",
}
_NO_HOST = ("auto", "local")


def cluster_at_hand() -> bool:
    """Return whether work may go to a cluster: RAY_ADDRESS names one, or this process has joined one.

    A Ray that this process has started for itself is none.
    """
    if os.environ.get("RAY_ADDRESS", "") not in ("", "local"):
        return True
    # Importing Ray takes a second, and without it there is nothing that could have been joined.
    ray = sys.modules.get("ray")
    return ray is not None and ray.is_initialized() and not own_cluster()


def require_address() -> None:
    """Raise UserError when RAY_ADDRESS is set and cannot be joined; jobs begin with it, their imports take longer."""
    if address := os.environ.get("RAY_ADDRESS"):
        require_reachable(address)


def require_reachable(address: str) -> None:
    """Raise UserError, within seconds, when nothing at `address` (host:port, as in RAY_ADDRESS) speaks Ray's protocol.

    The same where what does is of another version of Ray or Python. `auto` and `local` name no host and pass. The
    message names host and port, or both versions.
    """
    if address in _NO_HOST:
        return
    host, port = _host_and_port(address)
    try:
        socket.create_connection((host, port), CONNECT_S).close()
    except OSError as error:
        reason = "no answer" if isinstance(error, TimeoutError) else (error.strerror or str(error)).lower()
        raise UserError(
            f"cannot join the Ray cluster at {address}: port {port} of host {host} does not answer ({reason}); "
            "start the cluster, correct RAY_ADDRESS, or unset it to run here"
        ) from error
    if _by_tls():
        return  # needs Ray's certificates, so that Ray itself finds out
    target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    if not _speaks_grpc(target):
        raise UserError(
            f"cannot join the Ray cluster at {address}: what listens on port {port} of host {host} is not Ray's "
            "control service; set RAY_ADDRESS to the port of `ray start --head --port`, which is 6379 by default"
        )
    require_same_version(address, target)


def _host_and_port(address: str) -> tuple[str, int]:
    scheme, mark, _ = address.partition("://")
    if mark and scheme.lower() in _SCHEMES:
        raise UserError(
            f"RAY_ADDRESS is {address}, {_SCHEMES[scheme.lower()]}: set it to host:port of the cluster's control "
            "service (port 6379 by default) on a machine of the cluster, or hand the job in with "
            "`ray job submit --address http://HOST:8265 -- python -m jobs.NAME ...`"
        )
    host, colon, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if mark or not (colon and host and port.isdecimal() and 0 < int(port) < 65536):
        raise UserError(
            f"RAY_ADDRESS is {address}, which is not host:port: set it to the one that `ray start --head` prints, "
            "such as 10.0.0.1:6379, or unset it to run here"
        )
    return host, int(port)


def _by_tls() -> bool:
    return os.environ.get("RAY_USE_TLS", "0").lower() in ("1", "true")


def _speaks_grpc(target: str) -> bool:
    import grpc

    # Ray's own channels use no proxy either.
    channel = grpc.insecure_channel(target, options=[("grpc.enable_http_proxy", 0)])
    try:
        grpc.channel_ready_future(channel).result(SPEAK_S)
    except grpc.FutureTimeoutError:
        return False
    finally:
        channel.close()
    return True
