"""DSL-FIQA in the engine without Ray: both stages, a resume in each of them, and the model that comes out."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from synfiqa.actors.nets.fiqa import table
from synfiqa.actors.nets.fiqa.table import TrainableNetwork
from synfiqa.cluster.storage.storage import Storage
from synfiqa.fiqa_train.training.checkpoints import WEIGHTS, load_quality_model, parse_state, publish
from synfiqa.fiqa_train.training.dsl.portrait_set import PortraitData
from synfiqa.fiqa_train.training.engine.build_network import build_network, describe
from synfiqa.fiqa_train.training.engine.fit import fit
from synfiqa.fiqa_train.training.engine.worker_task import TrainTask
from synfiqa.fiqa_train.training.methods.dsl_fiqa import DslFiqa, charbonnier
from synfiqa.schemas.config.train_config import TrainSection
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.evaluation import Epoch
from tests.actors.nets.fiqa.dsl.tiny_dsl import SIDE, tiny
from tests.fiqa_train.training.dsl.portraits import Held, blurred
from tests.fiqa_train.training.whole_trainings.alone import Alone

SECTION = {
    "method": "dsl_fiqa",
    "network": "dsl-compact",
    "initialise": "random",
    "epochs": 6,
    "batch_size": 8,
    "learning_rate": 5e-3,
    "warm_up": 0,
    "dsl": {
        "encoder_epochs": 2,
        "encoder_rate": 3e-3,
        "degradations": 4,
        "others": 6,
        "queue": 8,
        "representation": "mean",
        "similarity": "cosine",
        "temperature": 0.2,
    },
}


@pytest.fixture(scope="module", autouse=True)
def small():
    """Train a tiny network under the name of the compact one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(table.TRAINABLE, "dsl-compact", TrainableNetwork("dsl-fiqa", tiny, input_size=SIDE))
        patch.setitem(table.DSL_SIZES, "dsl-compact", SIDE)
        yield


def task_of(**changes):
    section = TrainSection.model_validate(SECTION | changes)
    return TrainTask(
        url="",
        sources=(),
        held_out_source=None,
        identities={},
        rows=24,
        section=section,
        initial=None,
        seed=3,
        card=describe(section, None, "renders"),
        portraits=PortraitData(Held(tuple(blurred(24))), Held(tuple(blurred(10)))),
    )


@pytest.fixture(scope="module")
def finished():
    session = Alone()
    fit(task_of(), session)
    return session


def test_it_learns_both_stages_and_validates_the_second(finished):
    state = parse_state(finished.stored)
    assert len(finished.metrics) == 8
    assert "validation_spearman" not in finished.metrics[1]
    assert [entry["epoch"] for entry in state["history"]] == [1, 2, 3, 4, 5, 6]
    assert max(entry["validation_spearman"] for entry in state["history"]) > 0.6
    assert 1 <= state["best_epoch"] <= 6
    losses = [entry["loss"] for entry in state["history"]]
    assert losses[-1] < losses[0]


def test_measures_beside_the_common_ones_stay_out_of_the_history(finished):
    """`validation_pearson` here, or `pauc` of `watch.test_sets`, ended a finished training: its result refused them."""
    assert "validation_pearson" in finished.metrics[-1]
    history = parse_state(finished.stored)["history"]
    assert [Epoch.model_validate(entry).epoch for entry in history] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("step", [3, 10])
def test_a_training_that_is_stopped_in_either_stage_ends_with_the_same_weights(finished, step):
    stopped = Alone(asked_at=step)
    fit(task_of(), stopped)
    resumed = Alone(stored=stopped.stored)
    fit(task_of(), resumed)
    whole, again = parse_state(finished.stored), parse_state(resumed.stored)
    assert all(torch.equal(value, again["model"][key]) for key, value in whole["model"].items())
    assert all(torch.equal(value, again["beside"][key]) for key, value in whole["beside"].items())
    assert whole["history"] == again["history"]


def test_the_encoder_moves_in_its_stage_alone(finished):
    started = build_network(task_of().section, None, 3).state_dict()
    after_first = Alone(stop_after=2)
    with pytest.raises(KeyboardInterrupt):
        fit(task_of(), after_first)
    first, last = parse_state(after_first.stored)["model"], parse_state(finished.stored)["model"]
    encoder = [key for key in last if key.startswith("encoder.")]
    assert any(not torch.equal(started[key], first[key]) for key in encoder)
    assert all(torch.equal(first[key], last[key]) for key in encoder)
    assert torch.equal(started["conv1.weight"], first["conv1.weight"])
    assert not torch.equal(first["conv1.weight"], last["conv1.weight"])


def test_the_published_infonce_and_schedule_run():
    session = Alone()
    fit(
        task_of(
            epochs=1,
            optimiser="adam",
            schedule="waves",
            wave_steps=1,
            dsl=SECTION["dsl"] | {"contrast": "info_nce", "encoder_epochs": 1, "representation": "tokens"},
        ),
        session,
    )
    assert np.isfinite([metrics["loss"] for metrics in session.metrics]).all()


def test_equal_scores_are_refused_before_a_step():
    own = task_of()
    equal = Held(tuple(replace(item, score=1.0) for item in blurred(6)))
    session = Alone()
    with pytest.raises(UserError, match="the training split: all 6 scores are 1"):
        fit(replace(own, portraits=PortraitData(equal, equal)), session)
    assert session.stored is None


def test_the_model_that_is_saved_loads_from_its_file_and_refuses_aligned_crops(finished, tmp_path):
    state, own = parse_state(finished.stored), task_of()
    card = own.card | {"arguments": own.card["arguments"] | {"portrait_side": 80}}
    publish(Storage(str(tmp_path)), "mine", state["best"], card)
    model = load_quality_model(str(tmp_path / "models" / "mine" / WEIGHTS))
    assert model.portrait_side == 80
    items = blurred(6)
    found = model.score_portraits([item.image for item in items], [item.landmarks for item in items])
    assert np.corrcoef(found, [item.score for item in items])[0, 1] > 0.5
    with pytest.raises(UserError, match="scores portraits, and crops of 112 x 112 show no whole head"):
        model.score(np.zeros((2, 112, 112, 3), np.uint8))


def test_charbonnier_is_square_near_0_and_linear_beyond():
    errors = torch.tensor([0.0, 1.0])
    assert charbonnier(errors[:1], torch.zeros(1)).item() == pytest.approx(1e-3)
    assert charbonnier(errors[1:], torch.zeros(1)).item() == pytest.approx(1, abs=1e-5)


def test_the_objective_has_no_queue_of_a_length_that_is_not_its_own():
    section = task_of().section
    objective = DslFiqa(tiny(), lambda pixels: pixels / 127.5 - 1, section.dsl)
    assert objective.beside["queue"].kept.shape == (8, 16)
