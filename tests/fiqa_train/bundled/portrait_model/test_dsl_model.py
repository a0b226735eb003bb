"""The bundled quality model of portraits: made from renders alone, one file with its card, canary and scale."""

import numpy as np

from synfiqa.actors.model_store.catalogue import read_bundled
from synfiqa.actors.model_store.checks.check_model import check_model
from synfiqa.actors.nets.fiqa import table
from synfiqa.actors.nets.fiqa.table import TrainableNetwork
from synfiqa.fiqa_train.bundled.portrait_model import dsl_model
from synfiqa.fiqa_train.bundled.portrait_model.dsl_model import (
    NAME,
    PortraitPlan,
    portrait_sets,
    train_portrait_quality,
)
from synfiqa.fiqa_train.training.checkpoints import load_quality_model
from synfiqa.schemas.config.train_config import TrainSection
from tests.actors.nets.fiqa.dsl.tiny_dsl import SIDE, tiny
from tests.fiqa_train.training.dsl.portraits import blurred

PLAN = PortraitPlan(identities=2, validation=2, held_out=2, poses=1, copies=2, test_copies=6, side=72)


def test_parts_have_other_identities_and_keep_the_clean_portrait():
    sets = portrait_sets(0, PLAN, processes=1)
    assert {name: len(found) for name, found in sets.items()} == {"train": 4, "val": 4, "test": 12}
    groups = [set(found.groups) for found in sets.values()]
    assert sum(map(len, groups)) == len(set.union(*groups))
    for item in sets["test"].items:
        assert (item.score == 1) == bool((item.image == item.clean).all())
    again = portrait_sets(0, PLAN, processes=1)["test"].items
    assert all((one.image == other.image).all() for one, other in zip(sets["test"].items, again, strict=True))


def test_the_model_is_one_file_with_card_canary_and_scale(tmp_path, monkeypatch):
    monkeypatch.setitem(table.TRAINABLE, "dsl-compact", TrainableNetwork("dsl-fiqa", tiny, input_size=SIDE))
    monkeypatch.setitem(table.DSL_SIZES, "dsl-compact", SIDE)
    kept = dsl_model.KeptPortraits(blurred(12))
    monkeypatch.setattr(dsl_model, "portrait_sets", lambda *_: {"train": kept, "val": kept, "test": kept})
    section = TrainSection.model_validate(
        {
            "name": "dsl",
            "method": "dsl_fiqa",
            "network": "dsl-compact",
            "initialise": "random",
            "epochs": 1,
            "batch_size": 4,
            "dsl": {"encoder_epochs": 1, "degradations": 3, "others": 3},
        }
    )
    card = train_portrait_quality(tmp_path, 0, section, PLAN)
    assert card.name == NAME
    assert card.licence == "Apache-2.0"
    assert card.arguments["portrait_side"] == 80
    assert set(card.metrics) == {"srcc", "plcc", "plcc_mapped", "images"}
    assert card.scale is not None
    found = check_model(read_bundled(tmp_path / f"{NAME}.yaml"))
    assert found.problems == []
    model = load_quality_model(str(tmp_path / f"{NAME}.safetensors"))
    items = blurred(3)
    scores = model.score_portraits([item.image for item in items], [item.landmarks for item in items])
    assert np.isfinite(scores).all()
