"""Waits of a stream have sentences within a minute and limits, by a clock of the test's own."""

import pytest

from synfiqa.cluster.pipeline.layout.placement import Pool
from synfiqa.cluster.pipeline.stage import Resources
from synfiqa.cluster.pipeline.waits import Look, Shrunk, Waits
from synfiqa.cluster.ray_cluster.nodes import Node
from synfiqa.cluster.ray_cluster.worker_states import WorkerStates
from synfiqa.schemas.config.cluster import ResilienceSection
from synfiqa.schemas.errors import JobFailed
from tests.cluster.toy_stages import AddOne, Dawdle

GENERATOR = Pool((Dawdle(),), 1, Resources(0, 1.0))
ANNOTATOR = Pool((AddOne(),), 2, Resources(0, 0.25))
RUNNING, WAITING, LOADING = WorkerStates(running=1), WorkerStates(waiting=1), WorkerStates(starting=1)
TWO_GPUS = (Node(8, 2),)
LIMITS = ResilienceSection(placement_wait_s=600, stall_s=100)


class Stream:
    """A stream whose clock goes on by hand, in steps of five seconds as in an execution."""

    def __init__(self, *pools, nodes=TWO_GPUS, fits=False):
        self.time, self.said, self.nodes = 0.0, [], nodes
        self.progress = 0
        self.waits = Waits(pools, nodes, LIMITS, lambda _: fits, now=lambda: self.time, say=self._say)

    def _say(self, text):
        self.said.append((self.time, text))

    def passes(self, seconds, states, nodes=None, *, moving=False):
        for _ in range(int(seconds // 5)):
            self.time += 5
            self.progress += moving
            self.waits.look(Look(states, self.nodes if nodes is None else nodes, self.progress))


def test_a_label_that_no_node_has_is_named_within_a_minute_and_again():
    """Such a run was silent for two hours, then ended with a traceback of Ray's."""
    pool = Pool((AddOne(),), 1, Resources(1.0), {"pool": "small"})
    stream = Stream(pool, nodes=(Node(8, 0, {"pool": "big"}, free_cpus=8), Node(8, 0)))
    stream.passes(500, {"add_one": WAITING})
    (when, text), *later = stream.said
    assert when <= 60
    assert text.startswith("add_one: 1 of 1 worker without a place: none of the 2 nodes has the label pool=small")
    assert 2 <= len(later) <= 5


def test_a_wait_for_a_place_ends_with_a_sentence_after_its_limit():
    stream = Stream(Pool((AddOne(),), 1, Resources(1.0), {"pool": "small"}))
    with pytest.raises(JobFailed, match=r"add_one had no worker for 10:00 .*label pool=small.*placement_wait_s"):
        stream.passes(700, {"add_one": WAITING})
    assert stream.time <= 610


def test_a_gpu_that_was_lost_is_named_with_who_waits_for_it():
    """Two GPUs when planned, one later: no commit in 125 s, and no word."""
    stream = Stream(GENERATOR, ANNOTATOR)
    stream.passes(60, {"dawdle": RUNNING, "add_one": WAITING}, nodes=(Node(8, 1, free_cpus=8),))
    (when, text), *_ = stream.said
    assert when <= 60
    assert "add_one: 1 of 2 workers without a place: each needs 0.25 GPU" in text
    assert "have 0 of 1 (2 at the start) free" in text


def test_what_is_left_is_used_when_the_stages_fit_on_it():
    stream = Stream(GENERATOR, ANNOTATOR, fits=True)
    with pytest.raises(Shrunk, match="1 of 2 GPUs are left"):
        stream.passes(90, {"dawdle": RUNNING, "add_one": WAITING}, nodes=(Node(8, 1),))
    assert stream.said, "the reason is named before"


@pytest.mark.parametrize("nodes", [(Node(8, 0),), (Node(8, 2),)], ids=["no GPU left", "nothing lost"])
def test_stages_are_not_laid_out_anew_on_another_device_or_without_a_loss(nodes):
    stream = Stream(GENERATOR, ANNOTATOR, fits=True)
    stream.passes(300, {"dawdle": RUNNING, "add_one": WAITING}, nodes=nodes)


def test_a_pool_with_one_worker_goes_on_while_others_have_no_place():
    stream = Stream(ANNOTATOR)
    stream.passes(2000, {"add_one": WorkerStates(running=1, waiting=1)}, nodes=(Node(8, 1),), moving=True)
    assert len(stream.said) <= 8


def test_workers_that_load_for_long_are_mentioned_without_a_limit_of_their_own():
    stream = Stream(ANNOTATOR)
    stream.passes(90, {"add_one": LOADING})
    ((when, text),) = stream.said
    assert "add_one: 1 of 2 workers started, and loading" in text
    assert when <= 60


def test_a_process_that_is_being_started_is_no_wait_for_resources():
    stream = Stream(ANNOTATOR, nodes=(Node(8, 2, free_cpus=8, free_gpus=2),))
    stream.passes(45, {"add_one": WAITING})
    assert stream.said == []


def test_a_unit_that_takes_longer_than_the_floor_is_not_ended_when_units_take_long():
    """After 7,200 s a healthy unit was killed, with a raw ExecutionTimeoutError."""
    stream = Stream(ANNOTATOR)
    stream.waits.finished(90)
    stream.passes(895, {"add_one": RUNNING})
    with pytest.raises(JobFailed, match=r"no progress for 15:00, and the longest unit so far took 1:30.*stall_s"):
        stream.passes(10, {"add_one": RUNNING})


def test_before_a_unit_is_measured_the_limit_is_generous():
    stream = Stream(ANNOTATOR)
    assert stream.waits.stall_s == 1200
    stream.passes(1195, {"add_one": RUNNING})
    assert any("no unit is finished yet" in text for _, text in stream.said)
    with pytest.raises(JobFailed, match="no unit is finished yet"):
        stream.passes(10, {"add_one": RUNNING})


def test_short_units_do_not_lower_the_limit_below_its_floor():
    stream = Stream(ANNOTATOR)
    stream.waits.finished(0.1)
    assert stream.waits.stall_s == 100


def test_progress_and_a_driver_that_takes_its_time_start_the_limit_anew():
    stream = Stream(ANNOTATOR)
    stream.waits.finished(1)
    stream.passes(1000, {"add_one": RUNNING}, moving=True)
    stream.passes(90, {"add_one": RUNNING})
    stream.waits.finished(1)
    stream.passes(90, {"add_one": RUNNING})
    assert stream.said == []
