"""Running out of memory costs time, never pixels."""

from dataclasses import replace

import pytest

from actors import conditional_generator as module
from actors.conditional_generator import ConditionalGeneratorStage
from actors.identity_generator import IdentityGeneratorStage
from cluster.shard_formats import content_digest
from cluster.stage import Work
from schemas.config import RunConfig
from schemas.rows import CANDIDATES, IDENTITIES

CONFIG = RunConfig.model_validate({"generate": {"references": 2, "degraded": 7, "micro_batch": 8, "portrait_size": 64}})


@pytest.fixture(scope="module")
def shard():
    unit = IdentityGeneratorStage(CONFIG).process(
        Work("identities", 0, CANDIDATES.empty_table(), plan={"first": 0, "count": 1})
    )
    row = unit.table.to_pylist()[0]
    identities = IDENTITIES.empty_table().from_pylist(
        [{name: row.get(name) for name in IDENTITIES.names} | {"identity": 0}], schema=IDENTITIES
    )
    return Work("samples", 0, identities)


class Cramped:
    """A generator on a device that holds only so many images at once."""

    def __init__(self, model, limit):
        self._model, self._limit = model, limit

    def generate(self, identity, recipes):
        if len(recipes) > self._limit:
            raise MemoryError("out of memory")
        return self._model.generate(identity, recipes)


@pytest.mark.parametrize("limit", [1, 3, 5])
def test_a_device_too_small_for_the_micro_batch_makes_the_same_images_in_smaller_ones(shard, monkeypatch, limit):
    whole = ConditionalGeneratorStage(CONFIG).process(shard)
    model = module.conditional_generator("procedural", 64)
    monkeypatch.setattr(module, "conditional_generator", lambda *_: Cramped(model, limit))
    halved = ConditionalGeneratorStage(CONFIG).process(replace(shard))
    assert content_digest(halved.table) == content_digest(whole.table)
    assert halved.dead == ()
    assert halved.notes == {"micro_batch_conditional_generator": {1: "1", 3: "2", 5: "4"}[limit]}
