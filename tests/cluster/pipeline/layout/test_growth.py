"""What is requested of an autoscaler, with and without knowing how far it may grow the cluster."""

import pytest

from synfiqa.cluster.pipeline.layout import room
from synfiqa.cluster.pipeline.layout.room import growth_bundles, plan_with_room
from synfiqa.cluster.pipeline.stage import Resources
from synfiqa.cluster.ray_cluster import autoscaler
from synfiqa.cluster.ray_cluster.autoscaler import MOST_NODES, Bundle, most_nodes, nodes_text
from synfiqa.cluster.ray_cluster.nodes import Node
from synfiqa.schemas.config.cluster import PlacementSection, ResilienceSection
from synfiqa.schemas.errors import UserError
from tests.cluster.toy_stages import AddOne, Dawdle

HEAD, GPU_NODE = Node(0, 0), Node(8, 2)
ON_GPUS = PlacementSection(mode="split", device="cuda")
SMALL, OTHER = Node(2.0, 0.0, {"pool": "small"}, memory_mb=4096.0), Node(3.0, 0.0)


class Painter(Dawdle):
    name = "painter"
    resources = Resources(1.0, 1.0)


@pytest.fixture(autouse=True)
def joined(monkeypatch):
    """A cluster that this process has joined, whose autoscaler does not report its limits."""
    monkeypatch.setattr(room, "growth_limits", lambda: None)
    monkeypatch.setattr(room.time, "sleep", lambda seconds: None)
    for module in (room, autoscaler):
        monkeypatch.setattr(module, "own_cluster", lambda: False)


def test_with_unknown_limits_a_job_requests_what_it_needs_to_begin(monkeypatch):
    """Ray's own autoscalers tell no job their limits: on a cluster without workers nothing was ever requested."""
    assert growth_bundles([Painter()], ON_GPUS, [HEAD], 90) == [Bundle(0.0, 1.0)]
    three = ON_GPUS.model_copy(update={"workers": 3})
    assert growth_bundles([Painter()], three, [HEAD], 90) == [Bundle(0.0, 1.0)] * 3
    assert growth_bundles([Painter()], ON_GPUS, [GPU_NODE], 90) == [], "there is room already"
    monkeypatch.setattr(room, "own_cluster", lambda: True)
    assert growth_bundles([Painter()], ON_GPUS, [HEAD], 90) == []


def test_too_few_first_nodes_are_no_refusal_where_there_were_none():
    four = ON_GPUS.model_copy(update={"workers": 4})
    steps = iter([[HEAD], [HEAD, GPU_NODE], [GPU_NODE, GPU_NODE]])
    (pool,), _ = plan_with_room([Painter()], four, ResilienceSection(), 9, lambda: next(steps))
    assert pool.size == 4
    with pytest.raises(UserError, match="need 4 GPUs but the cluster has 2"):
        plan_with_room([Painter()], four, ResilienceSection(), 9, lambda: [GPU_NODE])


def test_with_known_node_types_whole_nodes_are_requested(monkeypatch):
    """The autoscaler grants a request as a whole: for workers that no packing places on its nodes it grants nothing."""
    monkeypatch.setenv(MOST_NODES, nodes_text([(2, SMALL), (1, OTHER)]))
    section = PlacementSection(mode="split", device="cpu", labels={"add_one": {"pool": "small"}})
    small, other = Bundle(2.0, 0.0, {"pool": "small"}), Bundle(3.0, 0.0, {"pool": "!in(small)"})
    assert growth_bundles([AddOne(), Dawdle()], section, [HEAD], 90) == [small, small, other]
    assert growth_bundles([AddOne(), Dawdle()], section, [HEAD], 1) == [small], "a unit needs no more"


def test_node_types_survive_the_variable_and_another_text_is_a_sentence(monkeypatch):
    monkeypatch.setenv(MOST_NODES, nodes_text([(2, SMALL), (1, OTHER)]))
    assert most_nodes() == [SMALL, SMALL, OTHER]
    for text in ("{", "[1]", '[{"cpus": 1}]', '{"nodes": 1}'):
        monkeypatch.setenv(MOST_NODES, text)
        with pytest.raises(UserError, match=r"SYNFIQA_MOST_NODES is no list of nodes"):
            most_nodes()
