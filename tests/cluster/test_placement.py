"""Placement: the same stages from one fused process to a pool per stage, never more than the cluster holds."""

import pytest

from cluster.errors import UserError
from cluster.placement import plan_placement
from cluster.stage import Resources, Stage
from schemas.config import PlacementSection


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
    return plan_placement(STAGES, PlacementSection(**section), cpus, gpus, units)


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
    with pytest.raises(UserError, match=r"ask for 2\.5 GPUs but the cluster has 1"):
        plan(gpus=1, workers=2)


def test_cuda_without_a_gpu_is_refused():
    with pytest.raises(UserError, match="no GPU"):
        plan(device="cuda")
