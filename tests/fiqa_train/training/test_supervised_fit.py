"""The driver's loop around a fit: results, errors, and what ends a fit that waits."""

import os
import signal
import threading
import time

import pytest

from synfiqa.actors.model_store.resolved_run import resolve
from synfiqa.cluster.pipeline import waits
from synfiqa.cluster.pipeline.ray_session import ray_session
from synfiqa.fiqa_train.training import on_ray, supervised_fit
from synfiqa.fiqa_train.training.supervised_fit import fit_supervised
from synfiqa.fiqa_train.training.task import training_task
from synfiqa.schemas.errors import JobFailed
from tests.fiqa_train.labelled_run import make_run


@pytest.fixture
def ended(monkeypatch):
    found = []
    monkeypatch.setattr(supervised_fit, "end_actors", found.append)
    return found


def test_the_result_or_the_error_of_the_fit_comes_back(ended):
    assert fit_supervised(lambda: 7, lambda: None) == 7
    with pytest.raises(ZeroDivisionError):
        fit_supervised(lambda: 1 / 0, lambda: None)
    assert ended == []


@pytest.mark.parametrize("error", [JobFailed("no workers"), KeyboardInterrupt()])
def test_what_the_look_raises_ends_the_training(ended, monkeypatch, error):
    monkeypatch.setattr(supervised_fit, "_END_S", 0.1)
    over = threading.Event()

    def look():
        raise error

    with pytest.raises(type(error)):
        fit_supervised(over.wait, look, look_s=0.01)
    assert ended == ["TrainController"]
    over.set()


def test_a_signal_lets_the_training_store_its_state_first(ended):
    """Python 3.12 takes a thread for ended when a signal interrupts its join: workers were killed at once."""
    asked, stored = threading.Event(), threading.Event()

    def fit():
        asked.wait(20)
        time.sleep(0.2)
        stored.set()

    # A test run in the background of a shell ignores SIGINT.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    signalled = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    signalled.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            fit_supervised(fit, lambda: None, ask_to_stop=asked.set)
    finally:
        signal.signal(signal.SIGINT, before)
    assert stored.is_set()
    assert ended == [], "nothing is left to end"


@pytest.mark.ray
def test_a_training_whose_workers_have_no_place_ends_with_a_sentence(tmp_path, monkeypatch, capsys):
    """GPUs that vanished before training left it waiting without limit and without a word."""
    sections = {"train": {"epochs": 1, "test_fraction": 0.5, "workers": 2}, "generate": {"identities": 16}}
    config, storage = make_run(tmp_path / "run", **sections, resilience={"placement_wait_s": 5})
    monkeypatch.setattr(waits, "FIRST_WORD_S", 1.0)
    monkeypatch.setattr(supervised_fit, "LOOK_S", 0.5)
    task = training_task(resolve(config), storage)
    with (
        ray_session(num_cpus=1),
        pytest.raises(JobFailed, match=r"training 'default' had no worker for .*placement_wait_s"),
    ):
        on_ray.train_on_ray(task, lambda history, progress: None)
    assert "2 of 2 workers without a place: each needs 1 CPU, and the nodes of the cluster have 1 of 1 free" in (
        capsys.readouterr().err
    )
