"""Comparison of a node's libraries with those of the recipe: other versions make other pixels without a word."""

import socket
from collections.abc import Mapping

from synfiqa.cluster.run.fingerprint import library_version
from synfiqa.schemas.errors import UserError


def require_libraries(expected: Mapping[str, str]) -> None:
    """Raise UserError naming host, library and both versions where this node has other versions than the recipe."""
    here = {name: library_version(name) for name in expected}
    if differing := [f"{name} {here[name]}, not {wanted}" for name, wanted in expected.items() if here[name] != wanted]:
        raise UserError(
            f"{socket.gethostname()} has other libraries than the driver, on which the bytes of the run depend "
            f"({'; '.join(differing)}): install the driver's versions there, or take the node out of the cluster"
        )
