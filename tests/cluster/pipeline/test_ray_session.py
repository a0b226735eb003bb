"""A session of Ray: SIGTERM ends it as Terminated, and it outlives the threads of Ray Data."""

import os
import signal
import threading
import time

import pytest

from synfiqa.cluster.pipeline.ray_session import Terminated, ray_session, terminate_like_interrupt
from synfiqa.jobs.command import run_command


def terminated_under_ray():
    """Receive SIGTERM where Ray waits for a result: it raises a KeyboardInterrupt of its own."""
    try:
        os.kill(os.getpid(), signal.SIGTERM)
    except Terminated:
        raise KeyboardInterrupt from None


def test_sigterm_during_a_wait_of_ray_is_no_ctrl_c():
    """`synfiqa train` ended with 130 after SIGTERM, where 143 is documented."""
    assert run_command(terminated_under_ray) == 143


def test_an_inner_block_ends_as_terminated_too():
    with pytest.raises(Terminated), terminate_like_interrupt(), terminate_like_interrupt():
        terminated_under_ray()


def test_ctrl_c_stays_ctrl_c():
    with pytest.raises(KeyboardInterrupt) as error, terminate_like_interrupt():
        raise KeyboardInterrupt
    assert not isinstance(error.value, Terminated)


def test_threads_of_ray_data_end_before_the_session(monkeypatch):
    """A scheduler still at work when Ray was shut down ended the whole process with code 1 and without a word."""
    import ray

    events = []
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "shutdown", lambda: events.append("shutdown"))
    monkeypatch.setattr("synfiqa.cluster.pipeline.ray_session.start", lambda num_cpus: None)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)

    def work():
        time.sleep(0.3)
        events.append("scheduler's last call")

    with ray_session():
        threading.Thread(target=work, name="StreamingExecutor-dataset_1_0", daemon=True).start()
    assert events == ["scheduler's last call", "shutdown"]


def test_a_parked_prefetcher_does_not_delay_the_end_of_a_session(monkeypatch):
    """Ray Data leaves one behind for each iterator that is left early: every job ended fifteen seconds late."""
    import ray

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    monkeypatch.setattr("synfiqa.cluster.pipeline.ray_session.start", lambda num_cpus: None)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    parked = threading.Event()
    with ray_session():
        threading.Thread(target=parked.wait, name="Prefetcher", daemon=True).start()
        began = time.monotonic()
    assert time.monotonic() - began < 5
    parked.set()
