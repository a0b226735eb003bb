"""Distillation end to end: any scorer of the registry is a teacher, those without training included."""

import json

import pytest

from synfiqa.actors.quality.factories import ScorerSettings
from synfiqa.fiqa_train.training.checkpoints import load_trained
from synfiqa.jobs.workflows.whole_run import run_all
from synfiqa.schemas.errors import UserError
from tests.fiqa_train.evaluation.trained_run import train_here
from tests.fiqa_train.labelled_run import make_run, small_config


def student_of(teacher):
    return {
        "name": f"student-of-{teacher}",
        "method": "distil",
        "objective": {"teacher": teacher},
        "epochs": 1,
        "network": "quality-net",
    }


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("distil") / "run", generate={"identities": 6})


@pytest.mark.parametrize(("teacher", "read"), [("froq", "froq"), ("ser-fiq", "bundled-a"), ("sharpness", "")])
def test_a_student_of_a_scorer_is_trained_and_records_what_its_teacher_reads(run, teacher, read):
    config, storage = run
    own = small_config(storage.url, train=student_of(teacher))
    config = config.model_copy(update={"train": own.train})
    train_here(config, storage)
    basis = json.loads(storage.read(f"models/student-of-{teacher}/train.json"))
    catalogue = ScorerSettings().catalogue
    assert basis["teacher_sha256"] == ({teacher: catalogue.model(read).card.sha256} if read else {})
    assert load_trained(storage, f"student-of-{teacher}").card.higher_is_better


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"train": student_of("vitnt")}, "scorer 'vitnt' reads the tokens of a vision transformer"),
        ({"train": student_of("label")}, r"train\.objective\.teacher: 'label' is the labels of a run"),
        ({"evaluate": {"scorers": ("model", "attn")}}, "scorer 'attn' reads the tokens of a vision transformer"),
        ({"models": {"scorers": ("vitnt",)}}, "scorer 'vitnt' reads the tokens of a vision transformer"),
    ],
)
def test_a_scorer_without_what_it_reads_ends_a_run_before_anything_is_made(tmp_path, sections, words):
    with pytest.raises(UserError, match=words):
        run_all(small_config(tmp_path / "run", **sections))
    assert not (tmp_path / "run").exists()


def test_a_training_alone_refuses_such_a_teacher_before_its_workers_start(run):
    config, storage = run
    own = config.model_copy(update={"train": small_config(storage.url, train=student_of("attn")).train})
    with pytest.raises(UserError, match="scorer 'attn' reads the tokens of a vision transformer"):
        train_here(own, storage)
    assert not storage.exists("models/student-of-attn/train.json")


def test_trained_models_of_the_run_are_averaged_into_one(run):
    config, storage = run
    digests = {}
    for seed in (1, 2):
        own = small_config(storage.url, train={"name": f"seed-{seed}", "seed": seed, "epochs": 1})
        train_here(config.model_copy(update={"train": own.train}), storage)
        digests[f"models/seed-{seed}"] = load_trained(storage, f"seed-{seed}").card.sha256
    named = ["models/seed-1", "models/seed-2"]
    own = small_config(storage.url, train=student_of("x") | {"name": "one", "objective": {"teacher": named}})
    train_here(config.model_copy(update={"train": own.train}), storage)
    basis = json.loads(storage.read("models/one/train.json"))
    assert basis["train"]["objective"]["teacher"] == named
    assert basis["teacher_sha256"] == digests
    lost = small_config(storage.url, train=student_of("x") | {"name": "two", "objective": {"teacher": ["models/no"]}})
    with pytest.raises(UserError, match="has no finished model named 'no'"):
        train_here(config.model_copy(update={"train": lost.train}), storage)
