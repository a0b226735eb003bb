"""GPU shares by memory: the arithmetic is right, said aloud, and over-commit is refused."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synfiqa.cluster.pipeline.layout.gpu_packing import MOST_WORKERS, check_packing, gpu_share
from synfiqa.cluster.pipeline.layout.placement import plan_placement
from synfiqa.cluster.pipeline.stage import Resources, Stage
from synfiqa.cluster.ray_cluster.nodes import Node
from synfiqa.schemas.config.cluster import PlacementSection
from synfiqa.schemas.errors import UserError


def test_the_arithmetic_is_one_line():
    share = gpu_share(5120, 80_000, stage="annotator")
    assert share.per_gpu == 14
    assert share.text == "annotator: 5,120 MB at its peak, 80,000 MB a GPU less 5 % = 14 workers, 1/14 GPU each"


def test_one_worker_takes_the_whole_gpu():
    share = gpu_share(5000, 8000, stage="generator")
    assert (share.per_gpu, share.fraction) == (1, 1.0)
    assert share.text.endswith("= 1 worker, 1 GPU each")


def test_exactly_full_is_full():
    assert gpu_share(950, 1000).per_gpu == 1
    assert gpu_share(475, 1000).per_gpu == 2
    assert gpu_share(476, 1000).per_gpu == 1
    assert gpu_share(1000, 1000, reserve=0).per_gpu == 1


def test_small_stages_stop_at_what_ray_can_count():
    share = gpu_share(10, 80_000, stage="filter")
    assert share.per_gpu == MOST_WORKERS
    assert "7600 workers, at most 64 of them, 1/64 GPU each" in share.text


def test_what_does_not_fit_is_refused_with_the_arithmetic():
    with pytest.raises(UserError, match=r"annotator: 9,000 MB at its peak, 8,000 MB a GPU less 5 % leaves 7,600 MB"):
        gpu_share(9000, 8000, stage="annotator")


@pytest.mark.parametrize(("footprint", "memory"), [(0, 8000), (-1, 8000), (500, 0), (math.nan, 8000)])
def test_numbers_that_nobody_measured_are_refused(footprint, memory):
    with pytest.raises(UserError, match="run `synfiqa calibrate`"):
        gpu_share(footprint, memory)


@given(st.floats(1, 1e5), st.floats(1, 2e5), st.floats(0, 0.5))
def test_as_many_workers_as_fit_and_as_ray_counts(footprint, memory, reserve):
    room = memory * (1 - reserve)
    if footprint > room:
        return
    share = gpu_share(footprint, memory, reserve)
    assert share.per_gpu * footprint <= room * (1 + 1e-9)
    assert share.per_gpu == MOST_WORKERS or (share.per_gpu + 1) * footprint > room * (1 - 1e-9)
    # Ray rounds shares to 1/10,000 GPU: so many workers must fit one GPU by that count, and no more.
    steps = round(share.fraction * 10_000)
    assert share.per_gpu * steps <= 10_000 < (share.per_gpu + 1) * steps


class TestCheckPacking:
    def test_shares_from_memory_always_fit(self):
        for needs in itertools.product((300, 1700, 2500, 7000), repeat=2):
            footprints = dict(zip(("filter", "annotator"), needs, strict=True))
            shares = {name: gpu_share(need, 8000).fraction for name, need in footprints.items()}
            check_packing(footprints, shares, 8000)

    def test_a_share_smaller_than_its_memory_is_refused(self):
        with pytest.raises(UserError, match=r"4 x annotator \(2,000 MB\) = 8,000 MB, but 8,000 MB less 5 % are 7,600"):
            check_packing({"annotator": 2000}, {"annotator": 0.25}, 8000)
        check_packing({"annotator": 1900}, {"annotator": 0.25}, 8000)

    def test_neighbours_count(self):
        footprints, shares = {"filter": 3000, "annotator": 4500}, {"filter": 0.5, "annotator": 0.5}
        check_packing({**footprints, "annotator": 3500}, shares, 8000)
        with pytest.raises(UserError, match=r"2 x annotator \(4,500 MB\) = 9,000 MB"):
            check_packing(footprints, shares, 8000)
        with pytest.raises(UserError, match=r"1 x filter \(3,000 MB\) \+ 1 x annotator \(4,500 MB\) = 7,500 MB"):
            check_packing(footprints, {"filter": 0.4, "annotator": 0.6}, 7500)

    def test_what_rays_count_leaves_no_room_for_does_not_count(self):
        # Three workers of 0.3 GPU are as many as there can be; 0.1 GPU stays empty.
        check_packing({"annotator": 2500}, {"annotator": 0.3}, 8000)

    def test_a_stage_on_several_gpus_is_alone_on_each(self):
        check_packing({"generator": 7000, "annotator": 500}, {"generator": 2, "annotator": 0.25}, 8000)

    def test_the_worst_mix_is_found_as_by_trying_all(self):
        footprints = {"a": 900.0, "b": 1400.0, "c": 310.0}
        shares = {"a": 0.2, "b": 0.35, "c": 0.07}
        worst = max(
            sum(count * footprints[name] for count, name in zip(counts, footprints, strict=True))
            for counts in itertools.product(range(6), range(3), range(15))
            if sum(count * shares[name] for count, name in zip(counts, footprints, strict=True)) <= 1 + 1e-9
        )
        check_packing(footprints, shares, worst, reserve=0)
        with pytest.raises(UserError, match=f"= {worst:,.0f} MB"):
            check_packing(footprints, shares, worst - 1, reserve=0)

    def test_stages_without_a_gpu_need_no_footprint(self):
        check_packing({}, {"writer": 0.0}, 8000)
        with pytest.raises(UserError, match="has no entry for annotator"):
            check_packing({}, {"writer": 0.0, "annotator": 0.25}, 8000)


def test_a_pool_sized_by_shares_puts_so_many_workers_on_each_gpu():
    share = gpu_share(5120, 80_000)

    class Annotator(Stage):
        name = "annotator"
        resources = Resources(gpus=share.fraction)

        def process(self, work):
            return work

    (pool,) = plan_placement([Annotator()], PlacementSection(device="cuda"), [Node(64, 2)], units=1000)
    assert pool.size == 2 * share.per_gpu
