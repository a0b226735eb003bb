"""A node is set aside when set-ups fail on it again, or at once where no repetition helps."""

import pytest

from synfiqa.cluster.pipeline.layout import set_aside
from synfiqa.cluster.pipeline.layout.placement import Pool
from synfiqa.cluster.pipeline.layout.set_aside import SetAside
from synfiqa.cluster.pipeline.stage import Resources
from synfiqa.cluster.ray_cluster.nodes import Node
from synfiqa.schemas.errors import JobFailed, StorageRefused, UserError
from tests.cluster.toy_stages import AddOne

HEAD, GOOD, BAD = Node(0, 0, id="head"), Node(8, 0, id="good"), Node(8, 0, id="bad")


def failure(kind="JobFailed", node="bad"):
    return {"node": node, "host": "host-7", "type": kind, "message": "no such weights: put them there"}


@pytest.fixture
def said(monkeypatch):
    said = []
    monkeypatch.setattr(set_aside, "announce", said.append)
    return said


def test_a_second_failure_sets_a_node_aside_and_is_told_once(said):
    aside = SetAside()
    assert [aside.count(failure()) for _ in range(3)] == [False, True, False]
    assert aside.without([HEAD, GOOD, BAD]) == [HEAD, GOOD]
    assert aside.selector() == {"ray.io/node-id": "!in(bad)"}
    assert said == ["node host-7 is set aside, since workers cannot start there: no such weights: put them there"]


def test_what_no_repetition_changes_sets_a_node_aside_at_once(said):
    """Such as libraries of other versions than the recipe."""
    assert SetAside().count(failure("UserError"))


@pytest.mark.parametrize(("kind", "error"), [("StorageRefused", StorageRefused), ("JobFailed", JobFailed)])
def test_the_run_ends_with_the_error_when_no_node_is_left(said, kind, error):
    aside = SetAside()
    for node in ("bad", "good"):
        aside.count(failure(kind, node))
        aside.count(failure(kind, node))
    with pytest.raises(error, match="no such weights"):
        aside.without([HEAD, GOOD, BAD])


CARD = Node(8, 1, {"pool": "gpu"}, id="card")
POOLS = (
    Pool((AddOne(),), 1, Resources(cpus=0, gpus=1)),
    Pool((AddOne(),), 1, Resources(cpus=1), {"pool": "gpu"}),
    Pool((AddOne(),), 1, Resources(cpus=16)),
)


@pytest.mark.parametrize("pool", POOLS[:2], ids=("by its GPU", "by its label"))
def test_a_pool_whose_every_node_is_set_aside_ends_the_run(said, pool):
    """Since the head had CPUs, the run waited an hour for a place, with the reason that Ray starts the processes."""
    aside = SetAside()
    aside.require([pool], [HEAD, GOOD, CARD])
    aside.count(failure("UserError", "card"))
    assert aside.without([HEAD, GOOD, CARD]) == aside.left([HEAD, GOOD, CARD]) == [HEAD, GOOD]
    with pytest.raises(UserError, match="no such weights"):
        aside.require([pool], [HEAD, GOOD, CARD])


def test_a_pool_goes_on_while_another_node_may_take_it_or_has_done_so(said):
    aside = SetAside()
    aside.count(failure("UserError", "card"))
    other = Node(2, 1, id="other")
    aside.require(POOLS[:1], [HEAD, CARD, other])
    # The good one was lost, and may be replaced.
    aside.require(POOLS[:1], [HEAD, CARD])
    # What no node could ever take is no fault of those that are set aside.
    aside.require(POOLS[2:], [HEAD, CARD])
