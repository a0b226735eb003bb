"""Placement: the same stages from one fused process to a pool per stage, never more than the cluster holds."""

import pytest

from synfiqa.cluster.pipeline.layout.placement import plan_placement, sizes_on
from synfiqa.cluster.pipeline.layout.pool_sizes import MeasuredPace
from synfiqa.cluster.pipeline.stage import Resources, Stage
from synfiqa.cluster.ray_cluster.nodes import Node
from synfiqa.schemas.config.cluster import PlacementSection
from synfiqa.schemas.errors import UserError


class Heavy(Stage):
    name = "heavy"
    resources = Resources(cpus=1, gpus=1.0)

    def process(self, work):
        return work


class Light(Heavy):
    name = "light"
    resources = Resources(cpus=1, gpus=0.25)


class Writer(Heavy):
    name = "writer"
    resources = Resources(cpus=0.5)


STAGES = [Heavy(), Light(), Writer()]


def plan(cpus=2.0, gpus=0.0, units=100, **section):
    return plan_placement(STAGES, PlacementSection(**section), [Node(cpus, gpus)], units)


def test_a_laptop_runs_all_stages_in_one_process_per_core():
    (pool,) = plan()
    assert pool.name == "heavy+light+writer"
    assert (pool.size, pool.resources) == (2, Resources(cpus=1.0, gpus=0.0))


def test_a_gpu_cluster_gives_each_stage_its_own_pool():
    pools = plan(cpus=64, gpus=10)
    assert [(pool.name, pool.size, pool.resources.gpus) for pool in pools[:2]] == [
        ("heavy", 8, 1.0),
        ("light", 8, 0.25),
    ]
    assert pools[2].resources.gpus == 0


def test_gpu_stages_do_not_take_cpus_that_they_do_not_use():
    assert plan(cpus=64, gpus=10)[0].resources.cpus == 0


def test_more_workers_than_cores_share_the_cores_instead_of_waiting_for_ever():
    pools = plan(cpus=2, mode="split", workers=2)
    assert sum(pool.size * pool.resources.cpus for pool in pools) <= 2
    assert all(pool.resources.cpus > 0 for pool in pools)


def test_no_pool_is_larger_than_the_work():
    assert plan(cpus=64, units=3)[0].size == 3


def test_asking_for_more_gpus_than_there_are_is_refused_with_the_arithmetic():
    with pytest.raises(UserError, match=r"need 2\.5 GPUs but the cluster has 1"):
        plan(gpus=1, workers=2)


def test_cuda_without_a_gpu_is_refused():
    with pytest.raises(UserError, match="no GPU"):
        plan(device="cuda")


def test_measured_memory_decides_how_many_workers_share_a_gpu():
    pools = plan(cpus=64, gpus=4, gpu_memory_mb=80_000, memory_mb={"heavy": 20_000, "light": 7_000})
    shares = {pool.name: pool.resources.gpus for pool in pools}
    assert shares["light"] == pytest.approx(1 / 10, abs=1e-4), "ten times 7,000 MB fit into 76,000"
    assert shares["heavy"] == 1.0, "a stage that declares a whole GPU is bound by arithmetic and keeps it"


def test_a_small_stage_that_needs_much_memory_gets_more_than_it_declared():
    pools = plan(cpus=64, gpus=4, gpu_memory_mb=24_000, memory_mb={"heavy": 20_000, "light": 10_000})
    assert {pool.name: pool.resources.gpus for pool in pools}["light"] == 0.5


def test_stages_that_share_a_process_share_its_memory():
    (pool,) = plan(cpus=8, gpus=1, mode="fused", gpu_memory_mb=24_000, memory_mb={"heavy": 10_000, "light": 7_000})
    assert pool.resources.gpus == 1.0
    with pytest.raises(UserError, match=r"heavy\+light: 27,000 MB .* too little for one worker"):
        plan(gpus=1, mode="fused", gpu_memory_mb=24_000, memory_mb={"heavy": 20_000, "light": 7_000})


def test_a_stage_that_was_not_measured_is_named():
    with pytest.raises(UserError, match="has no entry for light: run `synfiqa calibrate`"):
        plan(gpus=2, gpu_memory_mb=80_000, memory_mb={"heavy": 20_000})


BIG, SMALL = {"pool": "big"}, {"pool": "small"}


def plan_on(nodes, **section):
    pools = plan_placement(STAGES, PlacementSection(mode="split", **section), nodes, 100)
    return {pool.name: pool.size for pool in pools}


def test_a_pool_is_sized_by_the_nodes_that_have_its_labels():
    """All GPUs of the cluster were counted, so that pools waited for workers that had no place."""
    nodes = [Node(8, 4, BIG), Node(8, 1, SMALL), Node(8, 1, SMALL)]
    sizes = plan_on(nodes, labels={"heavy": BIG, "light": SMALL})
    assert (sizes["heavy"], sizes["light"]) == (4, 8)


def test_a_stage_that_needs_a_gpu_on_nodes_without_one_is_refused_by_label():
    with pytest.raises(UserError, match=r"need 0\.25 GPUs but the nodes with pool=small have 0"):
        plan_on([Node(8, 4, BIG), Node(8, 0, SMALL)], labels={"light": SMALL})


def test_a_pool_whose_labels_no_node_has_waits_for_one_with_one_worker():
    sizes = plan_on([Node(8, 4, BIG)], labels={"light": SMALL})
    assert (sizes["heavy"], sizes["light"]) == (4, 1)


def test_cores_of_labelled_nodes_are_shared_by_their_own_workers():
    section = PlacementSection(mode="split", device="cpu", labels={"writer": SMALL}, workers=4)
    pools = {pool.name: pool for pool in plan_placement(STAGES, section, [Node(64, 0), Node(1, 0, SMALL)], 100)}
    assert pools["writer"].resources.cpus == 0.25
    assert pools["heavy"].resources.cpus == 1


def test_one_gpu_runs_all_stages_in_one_process_unless_split_is_asked_for():
    """A run planned for two GPUs could not go on with one, and a machine with one GPU was refused."""
    (pool,) = plan(cpus=8, gpus=1)
    assert (pool.name, pool.size, pool.resources.gpus) == ("heavy+light+writer", 1, 1.0)
    with pytest.raises(UserError, match=r"need 1\.25 GPUs but the cluster has 1"):
        plan(cpus=8, gpus=1, mode="split")


class Reader(Writer):
    name = "reader"
    pace = 0.1


def sizes_beside_gpus(seconds=None, **section):
    stages, nodes = [Reader(), Heavy(), Light()], [Node(64, 8, memory_mb=16_000)]
    pools = plan_placement(stages, PlacementSection(**section), nodes, 10_000)
    return sizes_on(pools, PlacementSection(**section), nodes, 10_000, seconds)


def test_pools_on_cpus_follow_the_pace_of_the_gpus_not_the_number_of_cpus():
    """64 CPUs and 8 GPUs had 85 readers and 85 writers beside six generators."""
    assert sizes_beside_gpus() == [2, 6, 6]
    assert sizes_beside_gpus({"reader": 5.0, "heavy": 10.0, "light": 10.0}) == [5, 6, 6]
    assert sizes_beside_gpus({"reader": 5000.0, "heavy": 10.0, "light": 10.0}) == [128, 6, 6], "as many as fit"


def test_pools_on_gpus_share_them_by_measured_pace():
    """Six of eight GPUs generated, because the annotators were planned in pairs with them whatever they took."""
    assert sizes_beside_gpus({"reader": 0.1, "heavy": 10.0, "light": 2.0}) == [2, 7, 2]


def test_pools_on_cpus_alone_share_them_by_measured_pace():
    stages = [Reader(), Writer()]
    pools = plan_placement(stages, PlacementSection(mode="split", device="cpu"), [Node(8, 0)], 10_000)
    measured = {"reader": 3.0, "writer": 1.0}
    assert [pool.size for pool in pools] == [1, 14]
    assert sizes_on(pools, PlacementSection(), [Node(8, 0)], 10_000, measured) == [12, 4]
    assert sizes_on(pools, PlacementSection(workers=3), [Node(8, 0)], 10_000, measured) == [3, 3]


def test_workers_and_memory_can_be_set_by_stage():
    assert sizes_beside_gpus(stage_workers={"reader": 7}) == [7, 6, 6]
    assert sizes_beside_gpus(stage_workers={"reader": 7}, ram_mb={"reader": 4000}) == [4, 6, 6]
    pools = plan_placement([Reader()], PlacementSection(ram_mb={"reader": 4000}), [Node(64, 0, memory_mb=9_000)], 99)
    assert [(pool.size, pool.ram_mb) for pool in pools] == [(2, 4000)]


def test_the_pace_is_measured_over_some_units():
    pace = MeasuredPace()
    for _ in range(10):
        assert pace.seconds == {}
        pace.add({"reader": 1.0, "heavy": 3.0})
    assert pace.seconds == {"reader": 1.0, "heavy": 3.0}
    for _ in range(400):
        pace.add({"reader": 8.0, "heavy": 3.0})
    assert pace.seconds == pytest.approx({"reader": 8.0, "heavy": 3.0}, rel=0.01), "a stage that becomes slower"
