"""A labelled run with a model that was trained in this process: the jobs around the training are what is tested."""

import pytest

from synfiqa.fiqa_train.training.checkpoints import parse_state
from synfiqa.fiqa_train.training.engine.fit import fit
from synfiqa.fiqa_train.training.train_run import run_train
from tests.fiqa_train.labelled_run import make_run
from tests.fiqa_train.training.whole_trainings.alone import Alone


def train_here(config, storage):
    """Train the model of a config without Ray."""

    def here(task, watch):
        session = Alone()
        fit(task, session)
        return parse_state(session.stored)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("synfiqa.fiqa_train.training.train_run.require_workers", lambda section: 1)
        patch.setattr("synfiqa.fiqa_train.training.train_run.train_on_ray", here)
        return run_train(config, storage)


def make_trained(url, **sections):
    """Write a run of 16 identities, half of them held out, train its model and return (config, storage)."""
    base = {"train": {"epochs": 2, "test_fraction": 0.5}, "generate": {"identities": 16}, "evaluate": {"bootstrap": 10}}
    merged = {name: {**base.get(name, {}), **sections.get(name, {})} for name in {*base, *sections}}
    config, storage = make_run(url, **merged)
    train_here(config, storage)
    return config, storage


def changed(config, section, **fields):
    """Return the config with fields of a section set."""
    return config.model_copy(update={section: getattr(config, section).model_copy(update=fields)})
