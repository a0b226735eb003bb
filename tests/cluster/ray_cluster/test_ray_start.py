"""Starting Ray on this machine: its own 30 s are tried twice, then one sentence."""

import pytest
import ray

from synfiqa.cluster.ray_cluster.ray_start import start
from synfiqa.schemas.errors import JobFailed

LATE = "The current node timed out during startup. This could happen because some of the raylet failed to startup."


class SlowMachine:
    """Ray whose start is late `times` times."""

    def __init__(self, monkeypatch, times):
        self.starts = 0
        self._late = times
        monkeypatch.setattr(ray, "init", self.init)
        monkeypatch.setattr(ray, "shutdown", lambda: None)

    def init(self, **_):
        self.starts += 1
        if self.starts <= self._late:
            raise Exception(LATE)  # what Ray raises


def test_a_late_start_is_tried_once_more(monkeypatch, capsys):
    machine = SlowMachine(monkeypatch, times=1)
    start()
    assert machine.starts == 2
    assert "timed out during startup" in capsys.readouterr().err


def test_a_second_late_start_is_a_sentence(monkeypatch):
    """A busy machine showed a traceback of 25 lines."""
    machine = SlowMachine(monkeypatch, times=9)
    with pytest.raises(JobFailed, match=r"did not start on this machine in 2 tries .*timed out during startup"):
        start()
    assert machine.starts == 2


def test_an_interrupt_is_no_late_start(monkeypatch):
    def init(**_):
        raise KeyboardInterrupt

    monkeypatch.setattr(ray, "init", init)
    with pytest.raises(KeyboardInterrupt):
        start()
