"""Threads of torch: all cores only where waiting threads sleep."""

import os

import torch

from synfiqa.actors import device
from synfiqa.actors.device import SPIN_VARIABLE, use_cores, wait_without_spinning


def test_cores_are_used_where_threads_sleep_and_one_where_they_spin(monkeypatch):
    before = torch.get_num_threads()
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(4)))
    try:
        monkeypatch.setenv(SPIN_VARIABLE, "1")
        monkeypatch.delenv(SPIN_VARIABLE)
        assert use_cores() == torch.get_num_threads() == 1
        wait_without_spinning()
        assert use_cores() == torch.get_num_threads() == 4
        monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(64)))
        assert use_cores() == device.MOST_THREADS
    finally:
        torch.set_num_threads(before)


def test_a_setting_of_the_user_stays(monkeypatch):
    monkeypatch.setenv(SPIN_VARIABLE, "1000")
    wait_without_spinning()
    assert os.environ[SPIN_VARIABLE] == "1000"
