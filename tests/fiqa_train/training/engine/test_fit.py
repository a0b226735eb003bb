"""The loop without Ray: it learns, resumes in mid-epoch to the same weights bit for bit, and keeps its best epoch."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from synfiqa.actors.model_store.cache import locate
from synfiqa.actors.model_store.catalogue import bundled
from synfiqa.actors.model_store.loading import load_network
from synfiqa.actors.model_store.resolved_run import resolve
from synfiqa.actors.nets.quality_net import to_gray
from synfiqa.actors.nets.small_iresnet import GlobalDepthwise
from synfiqa.actors.quality.correlation import spearman
from synfiqa.fiqa_train.training.checkpoints import parse_state
from synfiqa.fiqa_train.training.engine import validation
from synfiqa.fiqa_train.training.engine.build_network import build_network, describe
from synfiqa.fiqa_train.training.engine.fit import fit
from synfiqa.fiqa_train.training.engine.validation import with_best
from synfiqa.fiqa_train.training.methods import label_regression
from synfiqa.fiqa_train.training.methods.label_regression import LabelRegression, quality_loss
from synfiqa.fiqa_train.training.task import training_task
from synfiqa.schemas.config.train_config import TrainSection
from synfiqa.schemas.errors import JobFailed, UserError
from synfiqa.schemas.model_card import ModelCard, ScoreScale
from tests.fiqa_train.labelled_run import make_run
from tests.fiqa_train.training.whole_trainings.alone import Alone


def sized(task, **changes):
    """The task with other values in its section."""
    section = TrainSection.model_validate(task.section.model_dump() | changes)
    return replace(task, section=section)


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    config, storage = make_run(tmp_path_factory.mktemp("loop") / "run", train={"epochs": 6})
    return training_task(resolve(config), storage)


@pytest.fixture(scope="module")
def finished(task):
    session = Alone()
    fit(task, session)
    return session


def test_it_learns(finished):
    losses = [metrics["loss"] for metrics in finished.metrics]
    assert losses[-1] < losses[0]
    assert max(metrics["validation_spearman"] for metrics in finished.metrics) > 0.6


def test_half_precision_computes_in_bfloat16_and_keeps_weights_in_single(task, finished, monkeypatch):
    seen = set()

    def watch(kind, dtype):
        forward = kind.forward

        def watched(layer, images):
            found = forward(layer, images)
            if torch.is_grad_enabled():
                seen.add((kind.__name__, dtype(images, found)))
            return found

        monkeypatch.setattr(kind, "forward", watched)

    watch(torch.nn.Conv2d, lambda images, found: found.dtype)
    watch(GlobalDepthwise, lambda images, found: images.dtype)
    session = Alone()
    fit(sized(task, precision="bfloat16", epochs=1), session)
    assert seen == {("Conv2d", torch.bfloat16), ("GlobalDepthwise", torch.float32)}, "the trunk; the pool of the head"
    weights = parse_state(session.stored)["model"]
    assert {tensor.dtype for tensor in weights.values() if tensor.is_floating_point()} == {torch.float32}
    assert session.metrics[0]["loss"] == pytest.approx(finished.metrics[0]["loss"], rel=0.2)


def test_a_stopped_training_goes_on_to_the_same_weights(task, finished):
    first = Alone(stop_after=2)
    with pytest.raises(KeyboardInterrupt):
        fit(task, first)
    second = Alone(first.stored)
    fit(task, second)
    assert [metrics["epoch"] for metrics in second.metrics] == [3, 4, 5, 6]
    whole, resumed = parse_state(finished.stored), parse_state(second.stored)
    assert whole["history"] == resumed["history"]
    assert all(torch.equal(whole["model"][key], resumed["model"][key]) for key in whole["model"])
    assert all(torch.equal(whole["best"][key], resumed["best"][key]) for key in whole["best"])


@pytest.mark.parametrize("asked_at", [3, 20])
def test_a_training_that_is_asked_to_stop_stores_its_step_and_goes_on_from_it(task, finished, asked_at):
    """SIGTERM cost up to an epoch."""
    first = Alone(asked_at=asked_at)
    fit(task, first)
    state = parse_state(first.stored)
    steps = sum(1 for _ in finished.metrics)
    assert state["step"] > 0
    assert state["epoch"] < steps
    second = Alone(first.stored)
    fit(task, second)
    whole, resumed = parse_state(finished.stored), parse_state(second.stored)
    assert whole["history"] == resumed["history"]
    assert whole["log"] == resumed["log"]
    assert all(torch.equal(whole["model"][key], resumed["model"][key]) for key in whole["model"])


OTHERS = {
    "cr_fiqa": {"method": "cr_fiqa", "network": "compact", "optimiser": "sgd", "learning_rate": 0.01},
    "partial": {
        "method": "cr_fiqa",
        "network": "compact",
        "optimiser": "sgd",
        "learning_rate": 0.01,
        "objective": {"sample_rate": 0.5},
    },
    "mr_fiqa": {"method": "mr_fiqa", "network": "compact", "ema": 0.9},
    "vit_fiqa": {"method": "vit_fiqa", "network": "compact-vit", "accumulate": 2},
}


@pytest.mark.parametrize("name", OTHERS)
def test_every_method_goes_on_in_mid_epoch_to_the_same_weights(task, name):
    own = sized(task, epochs=2, **OTHERS[name])
    whole, first = Alone(), Alone(asked_at=3)
    fit(own, whole)
    fit(own, first)
    second = Alone(first.stored)
    fit(own, second)
    wanted, found = parse_state(whole.stored), parse_state(second.stored)
    assert wanted["history"] == found["history"]
    for part in ("model", "best"):
        assert all(torch.equal(wanted[part][key], found[part][key]) for key in wanted[part])


def test_a_validation_in_mid_epoch_may_be_the_one_that_is_kept(task):
    session = Alone()
    fit(sized(task, epochs=1, watch={"every_steps": 2, "log_steps": 2}), session)
    state = parse_state(session.stored)
    assert [entry["step"] for entry in state["validations"]][:2] == [2, 4]
    assert [line["step"] for line in state["log"]][:2] == [2, 4]
    assert len(state["history"]) == 1
    assert state["best_metrics"] in state["validations"]


def test_a_student_learns_the_order_of_its_teacher(task):
    class Detail:
        def scaled(self, images):
            return lambda faces: np.abs(np.diff(faces.astype(np.float32), axis=2)).mean(axis=(1, 2, 3)) / 10

    student = replace(sized(task, method="distil", objective={"teacher": "any"}), teacher=Detail())
    session = Alone()
    fit(student, session)
    images, _ = task.held_out()
    network = build_network(student.section, None, student.seed)
    network.load_state_dict(parse_state(session.stored)["best"])
    found = validation.predict(LabelRegression(network, lambda pixels: pixels), to_gray(images), torch.device("cpu"))
    assert spearman(found, Detail().scaled(None)(images)) > 0.6
    assert max(metrics["validation_spearman"] for metrics in session.metrics) > 0.6, "against the teacher"


def test_the_state_holds_the_scale_of_the_best_network(task, finished):
    state = parse_state(finished.stored)
    scale = ScoreScale.model_validate(state["scale"])
    _, labels = task.held_out()
    assert scale.samples == len(labels)


@pytest.mark.parametrize("broken", ["loss", "scores"])
def test_a_diverged_training_stops_with_its_place_and_keeps_the_epoch_before(task, broken, monkeypatch):
    """One NaN loss became NaN weights, which were published, and the job ended with a bare ValueError."""
    first = Alone(stop_after=2)
    with pytest.raises(KeyboardInterrupt):
        fit(task, first)
    second = Alone(first.stored)
    if broken == "loss":
        monkeypatch.setattr(label_regression, "quality_loss", lambda scores, _: scores.sum() * float("nan"))
        expected = r"the loss is nan in step 1 of \d+ of epoch 3"
    else:
        monkeypatch.setattr(validation, "predict", lambda _, faces, *__: np.full(len(faces), np.nan, np.float32))
        expected = r"validation scores after step \d+ \(epoch 3\) are not finite"
    with pytest.raises(JobFailed, match=expected):
        fit(task, second)
    assert second.metrics == []
    state = parse_state(second.stored)
    assert state["epoch"] == 2
    assert all(torch.isfinite(value).all() for value in state["best"].values() if value.is_floating_point())


def test_a_finished_training_returns_at_once(task, finished):
    again = Alone(finished.stored)
    fit(task, again)
    assert again.metrics == []


def test_the_latest_epoch_is_kept_unless_an_earlier_one_was_clearly_better():
    network = torch.nn.Linear(1, 1)

    def best_of(values, faces):
        state = {"epoch": 0, "validations": [], "best": {}, "best_epoch": 0}
        for epoch, value in enumerate(values, start=1):
            with torch.no_grad():
                network.weight.fill_(epoch)
            scores = np.linspace(0, epoch, faces)
            state = with_best(state, {"epoch": epoch, "validation_spearman": value}, network, scores, "spearman")
            assert state["scale"]["quantiles"][-1] == state["best_epoch"], "the scale is that of the same epoch"
        assert state["best"]["weight"].item() == state["best_epoch"], "weights are those of the epoch that is named"
        return state["best_epoch"]

    assert best_of([0.2, 0.7, 0.69], 101) == 3, "a difference within the standard error of .05 is noise"
    assert best_of([0.2, 0.7, 0.6], 101) == 2
    assert best_of([0.2, 0.7, 0.69], 100_001) == 2, "over many faces it is none"
    assert best_of([0.8, 0.77, 0.74, 0.71], 101) == 2, "small steps down are measured from the top"


def test_the_loss_prefers_the_right_order_and_the_right_value():
    labels = torch.tensor([0.1, 0.4, 0.9])
    right = quality_loss(labels, labels)
    assert right < quality_loss(labels + 0.3, labels) < quality_loss(labels.flip(0), labels)
    assert torch.isfinite(quality_loss(labels, torch.full((3,), 0.5)))


def test_spearman_without_a_meaning_is_zero():
    assert spearman(np.array([1.0, 2, 3]), np.array([2.0, 5, 9])) == pytest.approx(1)
    assert spearman(np.ones(3), np.arange(3.0)) == 0
    assert spearman(np.ones(1), np.ones(1)) == 0


def test_training_starts_from_the_recognition_network_that_the_config_names():
    embedder = bundled()["bundled-a"]
    network = build_network(TrainSection(initialise="embedder"), embedder, seed=0)
    weights = load_network(embedder.card, locate(embedder)).state_dict()
    assert torch.equal(network.stem[0].weight, weights["stem.0.weight"])
    assert torch.equal(network.pool[0].weight, weights["pool.weight"])
    assert network.arguments["widths"] == embedder.card.arguments["widths"]
    card = describe(TrainSection(initialise="embedder"), embedder, "abc")
    assert "bundled-a" in ModelCard(**card, sha256="0" * 64).trained_on


def test_training_cannot_start_from_a_network_of_another_kind():
    colour = bundled()["bundled-clip"]
    with pytest.raises(UserError, match=r"cannot start from bundled-clip.*train.initialise=random"):
        build_network(TrainSection(initialise="embedder"), colour, seed=0)


def test_the_random_part_depends_on_the_seed_alone():
    section = TrainSection(initialise="random", width=4)
    first, again, other = (build_network(section, None, seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not torch.equal(first["stem.0.weight"], other["stem.0.weight"])
