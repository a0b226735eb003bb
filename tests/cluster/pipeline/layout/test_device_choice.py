"""CPU or GPU is chosen once and never by accident: a run waits for what its recipe or its config demands."""

import pytest

from synfiqa.cluster.pipeline.layout import device_choice, room
from synfiqa.cluster.pipeline.layout.device_choice import choose_device
from synfiqa.cluster.pipeline.layout.placement import NoRoom
from synfiqa.cluster.pipeline.layout.room import after_losses, can_go_on, growth_bundles, plan_with_room
from synfiqa.cluster.pipeline.stage import Resources
from synfiqa.cluster.ray_cluster.autoscaler import Bundle
from synfiqa.cluster.ray_cluster.nodes import Node
from synfiqa.schemas.config.cluster import PlacementSection, ResilienceSection
from synfiqa.schemas.errors import JobFailed, UserError
from tests.cluster.toy_stages import AddOne, Dawdle

LIMITS = ResilienceSection(placement_wait_s=60)
HEAD, WORKER, GPU_NODE = Node(0, 0), Node(8, 0), Node(8, 2)
LABELS = {"annotator": {"ray.io/accelerator-type": "L4"}}


class Painter(Dawdle):
    name = "painter"
    resources = Resources(1.0, 1.0)


@pytest.fixture
def said(monkeypatch):
    """A cluster that others may join, with a clock of its own; returns what is said."""
    time, said = [0.0], []
    for module in (device_choice, room):
        monkeypatch.setattr(module, "own_cluster", lambda: False)
        monkeypatch.setattr(module, "growth_limits", lambda: None)
        monkeypatch.setattr(module, "announce", said.append)
        monkeypatch.setattr(module.time, "monotonic", lambda: time[0])
        monkeypatch.setattr(module.time, "sleep", lambda seconds: time.__setitem__(0, time[0] + seconds))
    return said


def looks(*steps):
    """Return a look at the cluster that goes on by a step each time, and stays at the last."""
    left = list(steps)
    return lambda: left.pop(0) if len(left) > 1 else left[0]


@pytest.mark.parametrize(
    ("device", "recorded", "nodes", "chosen"),
    [
        ("cpu", "cuda", [GPU_NODE], "cpu"),
        ("cuda", "", [WORKER], "cuda"),
        ("auto", "", [WORKER], "cpu"),
        ("auto", "", [WORKER, GPU_NODE], "cuda"),
        ("auto", "cuda", [WORKER], "cuda"),
        ("auto", "cpu", [HEAD], "cpu"),
    ],
)
def test_config_then_cluster_then_recipe_decide(said, device, recorded, nodes, chosen):
    placement = PlacementSection.model_validate({"device": device})
    assert choose_device(placement, LIMITS, recorded, looks(nodes)) == chosen


@pytest.mark.parametrize("how", ["autoscaler", "label"])
def test_auto_is_a_run_of_gpus_where_some_may_come(said, monkeypatch, how):
    """A first submit before the GPUs were up froze the recipe as one of CPUs, and the next was refused."""
    if how == "autoscaler":
        monkeypatch.setattr(device_choice, "growth_limits", lambda: (64.0, 8.0))
    placement = PlacementSection.model_validate({"labels": LABELS if how == "label" else {}})
    assert choose_device(placement, LIMITS, "", looks([WORKER])) == "cuda"
    assert "placement.device=cpu" in said[0]


def test_a_head_without_cpus_waits_for_what_comes(said):
    """All stages ran on the head, as workers without a CPU, and the recipe said cpu from then on."""
    assert choose_device(PlacementSection(), LIMITS, "", looks([HEAD], [HEAD, WORKER], [HEAD, GPU_NODE])) == "cuda"
    assert choose_device(PlacementSection(), LIMITS, "", looks([HEAD], [HEAD, WORKER])) == "cpu"
    assert "waiting for the first worker nodes" in said[0]
    with pytest.raises(JobFailed, match=r"no worker node came for 1:00.*placement_wait_s"):
        choose_device(PlacementSection(), LIMITS, "", looks([HEAD]))


def test_this_machine_alone_is_refused_at_once(said, monkeypatch):
    for module in (device_choice, room):
        monkeypatch.setattr(module, "own_cluster", lambda: True)
    demanding = PlacementSection(device="cuda")
    with pytest.raises(UserError, match="no GPU: use --set placement"):
        choose_device(demanding, LIMITS, "", looks([WORKER]))
    with pytest.raises(NoRoom, match="no GPU"):
        plan_with_room([Painter()], demanding, LIMITS, 9, looks([WORKER]))


def test_stages_wait_for_nodes_with_a_sentence_and_a_limit(said):
    section = PlacementSection()
    (pool,), nodes = plan_with_room([AddOne()], section, LIMITS, 90, looks(*[[HEAD]] * 20, [HEAD, WORKER]))
    assert (pool.size, pool.resources.cpus, nodes) == (16, 0.5, [HEAD, WORKER])
    assert len(said) == 2
    assert "no node that add_one may use has CPUs" in said[0]
    with pytest.raises(JobFailed, match=r"has CPUs .* after 1:00 without it the job ends.*placement_wait_s"):
        plan_with_room([AddOne()], section, LIMITS, 9, looks([HEAD]))


def test_what_an_autoscaler_may_add_is_waited_for_and_what_it_may_not_is_refused(said, monkeypatch):
    split = PlacementSection(mode="split", workers=3, device="cuda")
    with pytest.raises(UserError, match="need 3 GPUs but the cluster has 2"):
        plan_with_room([Painter()], split, LIMITS, 9, looks([GPU_NODE]))
    monkeypatch.setattr(room, "growth_limits", lambda: (64.0, 4.0))
    (pool,), _ = plan_with_room([Painter()], split, LIMITS, 9, looks([GPU_NODE], [GPU_NODE, GPU_NODE]))
    assert pool.size == 3


def test_a_run_goes_on_in_fewer_processes_with_the_gpus_that_are_left(monkeypatch):
    """One of two GPUs vanished between the halves of a run, and the second ended: 1.25 GPUs, but the cluster has 1."""
    split = PlacementSection(mode="split", device="cuda")
    monkeypatch.setattr(room, "growth_limits", lambda: None)
    monkeypatch.setattr(room, "lost_nodes", lambda: 0)
    assert after_losses(split) == split, "a new run on too small a cluster is refused"
    monkeypatch.setattr(room, "lost_nodes", lambda: 1)
    assert after_losses(split).mode == "auto"
    monkeypatch.setattr(room, "growth_limits", lambda: (64.0, 4.0))
    assert after_losses(split) == split, "an autoscaler replaces what was lost"


class Sketcher(Dawdle):
    name = "sketcher"
    resources = Resources(1.0, 0.25)


def test_a_running_split_stream_is_laid_out_anew_on_the_gpu_that_is_left(monkeypatch):
    """A pool of the first half waited without end for a whole GPU, of which another pool held a quarter."""
    split, stages, left = PlacementSection(mode="split", device="cuda"), [Painter(), Sketcher()], [Node(8, 1)]
    monkeypatch.setattr(room, "growth_limits", lambda: None)
    monkeypatch.setattr(room, "lost_nodes", lambda: 1)
    assert can_go_on(stages, split, left)
    assert not can_go_on(stages, split, [Node(8, 0)]), "without any GPU it waits"
    labelled = split.model_copy(update={"labels": {"painter": {"ray.io/accelerator-type": "L4"}}})
    assert not can_go_on(stages, labelled, left), "labels are kept"
    monkeypatch.setattr(room, "growth_limits", lambda: (64.0, 4.0))
    assert not can_go_on(stages, split, left), "an autoscaler replaces what was lost"


def test_an_autoscaler_is_requested_what_the_plan_could_use_within_the_config(monkeypatch):
    section = PlacementSection(mode="split", device="cuda", workers=2)
    monkeypatch.setattr(room, "growth_limits", lambda: None)
    assert growth_bundles([Painter()], section, [HEAD], 90) == []
    monkeypatch.setattr(room, "growth_limits", lambda: (64.0, 4.0))
    assert growth_bundles([Painter()], section, [HEAD], 90) == [Bundle(0.0, 1.0)] * 2
    every = PlacementSection(mode="split", device="cuda")
    assert len(growth_bundles([Painter()], every, [HEAD], 90)) == 4
    assert len(growth_bundles([Painter()], every, [HEAD], 3)) == 3
