"""The Merkle root of a dataset: one digest over all commits (RFC 9162)."""

import hashlib
from collections.abc import Iterable, Sequence

from synfiqa.schemas.manifest import Commit

_LEAF = b"\x00"
_NODE = b"\x01"


def merkle_root(leaves: Sequence[bytes]) -> str:
    """Return the SHA-256 Merkle tree hash (hex) of the leaves in order, as in Certificate Transparency.

    RFC 9162, section 2.1.1: a leaf is hashed after a zero byte and an inner node after a one byte, so that a node
    never equals a leaf; without leaves the result is the hash of the empty string, with one leaf its leaf hash.
    """
    level = [hashlib.sha256(_LEAF + leaf).digest() for leaf in leaves]
    if not level:
        return hashlib.sha256(b"").hexdigest()
    while len(level) > 1:
        pairs = zip(level[::2], level[1::2], strict=False)
        # An odd last node moves up unchanged: doubling it would give two lists of leaves the same root.
        rest = level[-1:] if len(level) % 2 else []
        level = [hashlib.sha256(_NODE + left + right).digest() for left, right in pairs] + rest
    return level[0].hex()


def dataset_root(units: Iterable[Commit], shards: Iterable[Commit]) -> str:
    """Return the Merkle root over kind, number, content digest and number of rows of each commit.

    File format, attempts, revisions and the order of completion do not enter it (docs/architecture.md, promise 1).
    """
    commits = sorted([*units, *shards], key=lambda commit: (commit.kind, commit.number))
    return merkle_root([_leaf(commit) for commit in commits])


def _leaf(commit: Commit) -> bytes:
    return f"{commit.kind} {commit.number} {commit.content_sha256} {commit.file.rows}".encode()
