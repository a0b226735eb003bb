"""Watchers of a training: a callback gets each line once, TensorBoard's file holds them all, bad names are refused."""

import sys
from types import ModuleType

import pytest

from synfiqa.cluster.storage.storage import Storage
from synfiqa.fiqa_train.training.watchers import Callback, TensorBoard, require_watchers, watchers_of
from synfiqa.schemas.config.train_config import TrainSection
from synfiqa.schemas.errors import UserError

STATE = {
    "log": [{"step": 10, "loss": 0.5}, {"step": 20, "loss": 0.4}],
    "validations": [{"step": 15, "epoch": 1, "validation_spearman": 0.8}],
}


@pytest.fixture
def calls(monkeypatch):
    found = []
    module = ModuleType("my_tracker")
    module.log = lambda step, metrics: found.append((step, metrics))
    module.number = 3
    monkeypatch.setitem(sys.modules, "my_tracker", module)
    return found


def test_a_callback_gets_each_line_once_and_in_order(calls):
    callback = Callback("my_tracker:log")
    callback.stored({"log": STATE["log"][:1], "validations": []})
    callback.stored(STATE)
    assert calls == [(10, {"loss": 0.5}), (15, {"epoch": 1, "validation_spearman": 0.8}), (20, {"loss": 0.4})]


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("no_such_module:log", "cannot be imported"),
        ("my_tracker:none", "cannot be imported"),
        ("my_tracker:number", "is no function"),
    ],
)
def test_a_callback_that_cannot_be_called_is_refused_before_the_training(calls, target, words):
    with pytest.raises(UserError, match=words):
        require_watchers(TrainSection(watch={"callback": target}))


def test_tensorboard_holds_every_step_once_even_when_states_are_stored_again(tmp_path):
    accumulators = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    storage = Storage(str(tmp_path))
    (watcher,) = watchers_of(TrainSection(name="m", watch={"tensorboard": True}), storage)
    assert isinstance(watcher, TensorBoard)
    watcher.stored(STATE)
    watcher.stored(STATE)
    events = accumulators.EventAccumulator(str(tmp_path / "models/m/tensorboard")).Reload()
    assert [(event.step, round(event.value, 3)) for event in events.Scalars("loss")] == [(10, 0.5), (20, 0.4)]
    assert [event.step for event in events.Scalars("validation_spearman")] == [15]


def test_without_its_package_tensorboard_is_refused_with_the_way_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(UserError, match=r"synfiqa\[tensorboard\]"):
        require_watchers(TrainSection(watch={"tensorboard": True}))
