"""The wait for results of tasks: what is written when, and when it ends."""

import pytest

from synfiqa.cluster.ray_cluster.nodes import Node
from synfiqa.cluster.ray_cluster.task_wait import TaskWait
from synfiqa.schemas.config.cluster import ResilienceSection
from synfiqa.schemas.errors import JobFailed

LIMITS = ResilienceSection(placement_wait_s=300, stall_s=900)
BUSY = [Node(cpus=4, gpus=0, free_cpus=1), Node(cpus=2, gpus=0)]


class Clock:
    def __init__(self):
        self.now, self.said = 0.0, []
        self.wait = TaskWait("verify", LIMITS, now=lambda: self.now, say=self.said.append)

    def until(self, seconds, nodes):
        while self.now < seconds:
            self.now += 5
            self.wait.look(nodes)


def test_a_wait_is_written_about_after_half_a_minute_then_more_rarely():
    clock = Clock()
    clock.until(25, BUSY)
    assert clock.said == []
    clock.until(240, BUSY)
    assert clock.said == [
        f"verify: no result of a task for {time}; the nodes have 1 of 6 CPUs free" for time in ("0:30", "1:30", "3:00")
    ]
    clock.wait.result()
    clock.until(260, BUSY)
    assert len(clock.said) == 3


def test_a_cluster_without_cpus_is_named_and_waited_for_within_the_limit():
    clock = Clock()
    clock.wait.result()
    with pytest.raises(JobFailed, match=r"for 5:00 \(no node of the cluster has a CPU\).*resilience\.placement_wait_s"):
        clock.until(1000, [Node(cpus=0, gpus=0)])
    assert clock.now == 300


def test_tasks_that_never_end_are_given_up():
    clock = Clock()
    with pytest.raises(JobFailed, match=r"verify had no result of a task for 5:00 .*resilience\.placement_wait_s"):
        clock.until(1000, BUSY)
    clock = Clock()
    clock.wait.result()
    with pytest.raises(JobFailed, match=r"for 15:00 \(the nodes have 1 of 6 CPUs free\).*resilience\.stall_s"):
        clock.until(1000, BUSY)
