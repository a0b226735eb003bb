"""The Merkle root of a dataset: one digest that names every committed row, and that any part can be proven against."""

import hashlib
from collections.abc import Iterable, Sequence

from synfiqa.schemas.manifest import Commit

_LEAF = b"\x00"
_NODE = b"\x01"


def merkle_root(leaves: Sequence[bytes]) -> str:
    """Return the SHA-256 Merkle tree hash (hex) of the leaves in order, as Certificate Transparency defines it.

    RFC 9162, section 2.1.1: a leaf is hashed after a zero byte and an inner node after a one byte, so that no node can
    pass for a leaf; no leaf at all gives the hash of nothing, one leaf its own leaf hash.
    """
    level = [hashlib.sha256(_LEAF + leaf).digest() for leaf in leaves]
    if not level:
        return hashlib.sha256(b"").hexdigest()
    while len(level) > 1:
        pairs = zip(level[::2], level[1::2], strict=False)
        # The odd one out moves up as it is: doubling it would give two lists of leaves one root.
        rest = level[-1:] if len(level) % 2 else []
        level = [hashlib.sha256(_NODE + left + right).digest() for left, right in pairs] + rest
    return level[0].hex()


def dataset_root(units: Iterable[Commit], shards: Iterable[Commit]) -> str:
    """Return the Merkle root over the commits that readers see: kind, number, content digest and rows of each.

    File format, attempts, revisions and the order of completion do not enter it (promise 1).
    """
    commits = sorted([*units, *shards], key=lambda commit: (commit.kind, commit.number))
    return merkle_root([_leaf(commit) for commit in commits])


def _leaf(commit: Commit) -> bytes:
    return f"{commit.kind} {commit.number} {commit.content_sha256} {commit.file.rows}".encode()
