"""Compares the versions of Ray and Python of a cluster with those of this process, before it joins."""

import json
import os
import platform
import re
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version

from synfiqa.schemas.errors import UserError

READ_S = 5.0
"""Seconds until a control service that does not answer is left to Ray itself."""

_METHOD = "/ray.rpc.InternalKVGcsService/InternalKVGet"
_NAMESPACE, _KEY = b"cluster", b"CLUSTER_METADATA"
_DOCUMENT = re.compile(rb"\{.*\}", re.DOTALL)
_MISMATCH = re.compile(r"Version mismatch.*?Ray: (\S+)\s+Python: (\S+)", re.DOTALL)


@dataclass(frozen=True)
class Versions:
    """Versions of Ray and Python, such as 2.60.0 and 3.12.1."""

    ray: str
    python: str

    def fit(self, other: "Versions") -> bool:
        """Return whether Ray lets processes of both into one cluster: equal, Python's last number where it counts."""
        # The same variable as in Ray, which compares all three numbers by default.
        minor = os.environ.get("RAY_DEFAULT_PYTHON_VERSION_MATCH_LEVEL", "patch") == "minor"
        numbers = [v.python.split(".")[:2] if minor else [v.python] for v in (self, other)]
        return self.ray == other.ray and numbers[0] == numbers[1]

    def __str__(self) -> str:
        return f"Ray {self.ray} with Python {self.python}"


def own_versions() -> Versions:
    """Return the versions of this process."""
    return Versions(version("ray"), platform.python_version())


class TokenAsked(Exception):
    """A control service refused a request that lacks the token of its cluster."""


def require_same_version(address: str, target: str) -> None:
    """Raise UserError when the cluster's control service at `target` (host:port) is of other versions.

    The same when it needs a token that Ray would not send. `address` names it in the message. A service that does
    not state its versions passes: Ray itself then decides.
    """
    try:
        found = cluster_versions(target)
    except TokenAsked as error:
        if os.environ.get("RAY_AUTH_MODE") == "token":
            return
        raise UserError(
            f"cannot join the Ray cluster at {address}: it asks for a token, as `ray start --head` sets it up; set "
            "RAY_AUTH_MODE=token for this command, on another machine also RAY_AUTH_TOKEN to the content of the "
            "head's ~/.ray/auth_token, or start the cluster with RAY_AUTH_MODE=disabled"
        ) from error
    if found is not None and not found.fit(own_versions()):
        raise other_version(address, found)


def other_version(address: str, found: Versions) -> UserError:
    """Return the error for a cluster of other versions."""
    own = own_versions()
    return UserError(
        f"cannot join the Ray cluster at {address}: it runs {found}, and this process {own}; run this command with the "
        f"environment or image of the cluster, or start the cluster with Ray {own.ray} and Python {own.python}"
    )


def versions_in(message: str) -> Versions | None:
    """Return the versions of the cluster in Ray's own message of a mismatch, None in any other."""
    match = _MISMATCH.search(message)
    return Versions(match[1], match[2]) if match else None


def cluster_versions(target: str) -> Versions | None:
    """Return the versions that the control service at `target` (host:port) states; None where it states none.

    TokenAsked when it refuses a request without the token of its cluster. It is read as plain gRPC, since Ray's client
    repeats its requests for a minute, and needs Ray to be imported.
    """
    import grpc

    try:
        # Ray's own channels use no proxy either.
        with grpc.insecure_channel(target, options=[("grpc.enable_http_proxy", 0)]) as channel:
            answer = channel.unary_unary(_METHOD)(_request(), timeout=READ_S)
    except grpc.RpcError as error:
        if error.code() == grpc.StatusCode.UNAUTHENTICATED:
            raise TokenAsked from error
        return None
    with suppress(ValueError, KeyError, TypeError):
        if document := _DOCUMENT.search(answer):
            stated = json.loads(document[0])
            return Versions(str(stated["ray_version"]), str(stated["python_version"]))
    return None


def _request() -> bytes:
    """Return the message InternalKVGetRequest: key is its field 1, namespace its field 2, both of type bytes."""
    fields = ((1, _KEY), (2, _NAMESPACE))
    return b"".join(bytes([number << 3 | 2, len(value)]) + value for number, value in fields)
