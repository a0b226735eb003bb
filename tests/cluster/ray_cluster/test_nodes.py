"""Nodes and their labels, matched as Ray matches them; workers counted by what Ray's table says of them."""

import pytest

from synfiqa.cluster.ray_cluster.nodes import Node, label_text, total
from synfiqa.cluster.ray_cluster.worker_states import WorkerStates, count_states

SMALL = Node(4, 1, {"pool": "small", "zone": "a"})


@pytest.mark.parametrize(
    ("selector", "matches"),
    [
        ({}, True),
        ({"pool": "small"}, True),
        ({"pool": "small", "zone": "b"}, False),
        ({"pool": "!small"}, False),
        ({"pool": "in(big, small)"}, True),
        ({"zone": "!in(b, c)"}, True),
        ({"rack": "1"}, False),
        ({"rack": "!1"}, True),
    ],
)
def test_selectors_match_as_in_ray(selector, matches):
    assert SMALL.has(selector) is matches


def test_sums_and_words():
    assert total([SMALL, Node(2, 0.5)]) == (6, 1.5)
    assert label_text({"pool": "small", "zone": "!a"}) == "pool=small, zone=!a"


def test_an_actor_has_a_place_as_soon_as_it_has_an_address_on_a_node_that_lives():
    """A worker whose node died while it loaded counted as loading: it was waited for, and nothing was laid out anew."""

    def actor(state, address="", name="MapWorker(MapBatches(annotator))", node="n1", port=7):
        return {"ActorClassName": name, "State": state, "Address": {"IPAddress": address, "NodeID": node, "Port": port}}

    actors = [
        actor("ALIVE", "10.0.0.1"),
        actor("PENDING_CREATION", "10.0.0.1"),
        actor("PENDING_CREATION", "10.0.0.1", node="n2"),
        # Passed on to a raylet without a free GPU: this was said to be "started, and loading what they need".
        actor("PENDING_CREATION", "10.0.0.1", port=1),
        actor("PENDING_CREATION"),
        actor("RESTARTING"),
        actor("DEPENDENCIES_UNREADY"),
        actor("DEAD", "10.0.0.1"),
        actor("ALIVE", "10.0.0.1", name="AutoscalingRequester"),
    ]
    states = count_states(actors, ["annotator", "shard_writer"], {"n1": 1})
    assert states == {"annotator": WorkerStates(running=1, starting=1, waiting=5), "shard_writer": WorkerStates()}
