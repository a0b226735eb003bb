"""The configs of configs/train: they hold the section train alone, state the published schedule, and train."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from synfiqa.actors.model_store.resolved_run import resolve
from synfiqa.fiqa_train.training.checkpoints import parse_state
from synfiqa.fiqa_train.training.engine.fit import fit
from synfiqa.fiqa_train.training.engine.step_size import share
from synfiqa.fiqa_train.training.task import training_task
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.config.train_config import TrainSection
from tests.fiqa_train.labelled_run import make_run
from tests.fiqa_train.training.whole_trainings.alone import Alone

FOLDER = Path(__file__).parents[4] / "configs/train"
FILES = sorted(FOLDER.glob("*.yaml"))
FACES = [path for path in FILES if not path.stem.startswith("dsl-fiqa")]
"""Those that train on aligned faces; portraits are trained on in engine/test_portrait_training.py."""


def section_of(path, **changes):
    tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert set(tree) == {"train"}, "all else comes from the run"
    return TrainSection.model_validate(tree["train"] | changes)


def test_there_is_one_for_each_published_model_for_distillation_and_for_photographs():
    faces = ["cr-fiqa-l", "cr-fiqa-s", "distil", "mr-fiqa", "photographs", "synfiqa-pp", "vit-fiqa"]
    assert [path.stem for path in FACES] == faces
    assert set(FILES) - set(FACES) == {FOLDER / "dsl-fiqa.yaml", FOLDER / "dsl-fiqa-compact.yaml"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_model_has_the_name_of_its_config(path):
    assert section_of(path).name == path.stem


def test_cr_fiqa_drops_its_step_size_one_epoch_before_the_published_boundaries():
    section, steps = section_of(FOLDER / "cr-fiqa-s.yaml"), 34 * 958
    rates = [section.learning_rate * share(section, epoch * 958, steps) for epoch in (0, 18, 19, 27, 31)]
    assert rates == pytest.approx([0.1, 0.1, 0.01, 0.001, 0.0001])
    assert (section.batch_size, section.momentum, section.weight_decay, section.clip_norm) == (512, 0.9, 5e-4, 5)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    config, storage = make_run(tmp_path_factory.mktemp("published") / "run")
    return config, storage


def test_dsl_fiqa_falls_and_rises_every_fifty_steps_as_its_trainer_stepped_the_cosine():
    section = section_of(FOLDER / "dsl-fiqa.yaml")
    rates = [share(section, step, 10_000) for step in (0, 25, 50, 75, 100)]
    assert rates == pytest.approx([1, 0.5, 0, 0.5, 1])
    assert (section.batch_size, section.optimiser, section.learning_rate) == (16, "adam", 1e-5)
    assert (section.dsl.flip, section.dsl.queue, section.dsl.encoder_rate) == (0.7, 2048, 3e-5)


@pytest.mark.parametrize("path", FACES, ids=lambda path: path.stem)
def test_it_trains_a_small_network_on_a_run(run, path):
    config, storage = run
    network = "compact-vit" if path.stem == "vit-fiqa" else "compact"
    section = section_of(path, network=network, epochs=1, batch_size=16, precision="float32", width=4)
    task = training_task(resolve(RunConfig.model_validate(config.model_dump() | {"train": section})), storage)
    session = Alone()
    fit(replace(task, section=section), session)
    state = parse_state(session.stored)
    assert state["epoch"] == 1
    assert np.isfinite(state["history"][0]["loss"])
    assert state["card"]["name"] == path.stem
    assert state["card"]["channels"] == "rgb"
