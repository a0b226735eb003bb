"""Sizes of pools by measured pace."""

from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from synfiqa.cluster.pipeline.layout.balance import RETHINK_S, SteadySizes, balanced, bottleneck
from synfiqa.cluster.pipeline.stage import Resources
from synfiqa.cluster.ray_cluster.nodes import Node

CPU, GPU, QUARTER = Resources(1, 0), Resources(0, 1), Resources(0, 0.25)


def sizes_for(seconds, shares, nodes):
    everywhere = [range(len(nodes))] * len(shares)
    return balanced([0] * len(shares), range(len(shares)), seconds, shares, everywhere, nodes)


def test_the_slowest_stage_gets_what_the_others_do_not_need():
    assert sizes_for([0.1, 0.8, 0.1], [CPU] * 3, [Node(8, 0)]) == [1, 6, 1]
    assert sizes_for([10, 1], [GPU, QUARTER], [Node(0, 8)]) == [7, 1]
    assert sizes_for([1, 8], [GPU, QUARTER], [Node(0, 2)]) == [1, 4]


def test_a_share_is_placed_on_one_node_not_across_two():
    """Two nodes with half a GPU free each have no place for one that needs a whole one."""
    assert sizes_for([1, 1.9], [GPU, Resources(0, 0.5)], [Node(0, 1), Node(0, 1)]) == [1, 2]
    assert sizes_for([9, 1], [GPU, Resources(0, 0.5)], [Node(0, 1), Node(0, 1)]) == [1, 1]


def test_pools_that_do_not_move_keep_their_places():
    everywhere = [range(1)] * 2
    assert balanced([3, 0], [1], [1, 1], [CPU] * 2, everywhere, [Node(8, 0)]) == [3, 5]


@given(
    seconds=st.lists(st.floats(0.01, 100), min_size=1, max_size=4),
    cpus=st.lists(st.integers(4, 12), min_size=1, max_size=3),
)
def test_no_other_sizes_that_fit_are_faster(seconds, cpus):
    """One CPU a worker: moving any worker from one pool to another never lowers the bottleneck."""
    sizes = sizes_for(seconds, [CPU] * len(seconds), [Node(held, 0) for held in cpus])
    assert sum(sizes) <= sum(cpus)
    best = bottleneck(sizes, seconds)
    for giver in range(len(sizes)):
        for taker in range(len(sizes)):
            other = list(sizes)
            other[giver] -= 1
            other[taker] += 1
            if min(other) > 0:
                assert bottleneck(other, seconds) >= best - 1e-9


def test_sizes_stay_until_others_gain_a_tenth():
    answers = iter([[2, 2], [1, 3], [1, 3], [3, 1]])
    clock = SimpleNamespace(time=0.0)
    steady = SteadySizes(lambda nodes, seconds: next(answers), [["a"], ["b"]], lambda: clock.time)
    nodes = [Node(4, 0, id="n")]
    assert steady.on(nodes, {}) == [2, 2]
    assert steady.on(nodes, {"a": 1, "b": 1.05}) == [2, 2], "not looked at again so soon"
    clock.time += RETHINK_S
    assert steady.on(nodes, {"a": 0.5, "b": 0.55}) == [2, 2], "would not be faster"
    clock.time += RETHINK_S
    assert steady.on(nodes, {"a": 0.1, "b": 3}) == [1, 3]
    assert steady.on([*nodes, Node(4, 0, id="m")], {"a": 0.1, "b": 3}) == [3, 1], "other nodes, other sizes"
