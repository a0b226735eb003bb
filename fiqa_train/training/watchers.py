"""Watchers of a training, called on its first worker after each stored step: TensorBoard events and a callback."""

import importlib
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from synfiqa.cluster.storage.storage import Storage
from synfiqa.fiqa_train.training.checkpoints import model_folder
from synfiqa.schemas.config.train_config import TrainSection
from synfiqa.schemas.errors import UserError

TENSORBOARD = "tensorboard"
"""Folder of the event file inside a model's."""
INSTALL = "install it with `pip install 'synfiqa[tensorboard]'`, or set train.watch.tensorboard=false"


class Watcher(Protocol):
    """Takes what a training has measured so far."""

    def stored(self, state: Mapping[str, Any]) -> None:
        """Take the `log` and `validations` of a stored state."""
        ...


class TensorBoard:
    """Writes an event file with all lines of the log to the folder of the model."""

    def __init__(self, storage: Storage, folder: str) -> None:
        self._storage, self._folder = storage, folder

    def stored(self, state: Mapping[str, Any]) -> None:
        """Write the events of the whole training anew, so that a resumed one has each step once."""
        from torch.utils.tensorboard import SummaryWriter

        with tempfile.TemporaryDirectory() as scratch:
            with SummaryWriter(scratch) as writer:  # type: ignore[no-untyped-call]
                for line in lines_of(state):
                    for name, value in line.items():
                        if name != "step":
                            writer.add_scalar(name, value, int(line["step"]))  # type: ignore[no-untyped-call]
            (events,) = Path(scratch).iterdir()
            self._storage.write(f"{self._folder}/{TENSORBOARD}/events.out.tfevents.0.synfiqa", events.read_bytes())


class Callback:
    """Calls a function of the user with (step, metrics) for each new line of the log."""

    def __init__(self, target: str) -> None:
        self._call, self._done = load_callback(target), 0

    def stored(self, state: Mapping[str, Any]) -> None:
        """Call it for the lines after those of the last call."""
        lines = lines_of(state)
        for line in lines:
            if line["step"] > self._done:
                self._call(int(line["step"]), {key: value for key, value in line.items() if key != "step"})
        self._done = max([self._done, *(int(line["step"]) for line in lines)])


def lines_of(state: Mapping[str, Any]) -> list[dict[str, float]]:
    """Return the lines of log and validations in order of steps."""
    return sorted([*state["log"], *state["validations"]], key=lambda line: line["step"])


def load_callback(target: str) -> Callable[[int, dict[str, float]], None]:
    """Return the function `module:function`; UserError when it cannot be imported."""
    module, _, name = target.partition(":")
    try:
        function = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise UserError(f"train.watch.callback={target} cannot be imported ({error}); check module and name") from error
    if not callable(function):
        raise UserError(f"train.watch.callback={target} is no function; name one of (step, metrics)")
    found: Callable[[int, dict[str, float]], None] = function
    return found


def watchers_of(section: TrainSection, storage: Storage) -> Sequence[Watcher]:
    """Return the watchers that the config names."""
    found: list[Watcher] = []
    if section.watch.tensorboard:
        found.append(TensorBoard(storage, model_folder(section.name)))
    if section.watch.callback:
        found.append(Callback(section.watch.callback))
    return found


def require_watchers(section: TrainSection) -> None:
    """Raise UserError when a watcher that the config names cannot run here."""
    if section.watch.callback:
        load_callback(section.watch.callback)
    if section.watch.tensorboard:
        try:
            importlib.import_module("tensorboard")
        except ImportError as error:
            raise UserError(f"TensorBoard is not installed: {INSTALL}") from error
