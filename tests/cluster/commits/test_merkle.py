"""The Merkle root: the construction of RFC 9162, independent of the order of completion."""

import hashlib

import pytest

from synfiqa.cluster.commits.merkle import dataset_root, merkle_root
from synfiqa.schemas.manifest import Commit, DataFile


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def commit(kind: str, number: int, content: str = "c", rows: int = 3, **other) -> Commit:
    file = DataFile(path=f"{kind}/{number}-{content}", sha256="0" * 64, bytes=1, rows=rows)
    return Commit(kind=kind, number=number, file=file, content_sha256=content, counts={}, fingerprint="f", **other)


def test_no_leaf_and_one_leaf_are_defined():
    assert merkle_root([]) == sha(b"").hex()
    assert merkle_root([b"a"]) == sha(b"\0a").hex()


def test_the_tree_is_that_of_certificate_transparency():
    a, b, c, d, e = (sha(b"\0" + leaf) for leaf in (b"a", b"b", b"c", b"d", b"e"))
    four = sha(b"\1" + sha(b"\1" + a + b) + sha(b"\1" + c + d))
    assert merkle_root([b"a", b"b", b"c", b"d", b"e"]) == sha(b"\1" + four + e).hex()


def test_a_known_answer_of_other_implementations():
    leaves = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
    root = merkle_root([bytes.fromhex(leaf) for leaf in leaves])
    assert root == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"


@pytest.mark.parametrize("count", range(1, 9))
def test_the_root_depends_on_every_leaf_on_order_and_on_number(count):
    leaves = [bytes([number]) for number in range(count)]
    others = [[*leaves[:place], b"x", *leaves[place + 1 :]] for place in range(count)]
    others += [leaves[:-1], [*leaves, leaves[-1]]] + ([leaves[::-1]] if count > 1 else [])
    assert merkle_root(leaves) not in {merkle_root(other) for other in others}


def test_an_inner_node_cannot_pass_for_a_leaf():
    inner = sha(b"\0a") + sha(b"\0b")
    assert merkle_root([b"a", b"b"]) != merkle_root([inner])


def test_the_order_of_completion_does_not_matter():
    units = [commit("identities", number) for number in range(3)]
    shards = [commit("samples", number) for number in range(12)]
    assert dataset_root(units, shards) == dataset_root(units[::-1], shards[::-1])


def test_rows_content_kind_and_number_matter_attempts_do_not():
    base = dataset_root([], [commit("samples", 0)])
    assert dataset_root([], [commit("samples", 0, provenance={"node": "other"}, revision=1)]) == base
    changed = [
        commit("samples", 1),
        commit("identities", 0),
        commit("samples", 0, "other"),
        commit("samples", 0, rows=4),
    ]
    assert base not in {dataset_root([], [other]) for other in changed}
