"""Running out of memory costs time, never pixels."""

import json
from dataclasses import replace

import numpy as np
import pytest

from synfiqa.actors.generation.conditional.backends import RenderedBackend
from synfiqa.actors.model_store.resolved_run import resolve
from synfiqa.actors.players import Players
from synfiqa.actors.roles import Rejection
from synfiqa.actors.stages.conditional_generator import ConditionalGeneratorStage
from synfiqa.actors.stages.identity_generator import IdentityGeneratorStage
from synfiqa.cluster.commits.shard_formats import content_digest, decode, encode
from synfiqa.cluster.pipeline.stage import Work
from synfiqa.fiqa_train.labels.severities import flat_columns, severities
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.factors.camera_rows import CAMERA_FACTORS
from synfiqa.schemas.rows import CANDIDATES, IDENTITIES, REGIONS, recipe_from_row, samples_schema

CONFIG = RunConfig.model_validate({"generate": {"references": 2, "degraded": 7, "micro_batch": 8, "portrait_size": 64}})
RUN = resolve(CONFIG)


@pytest.fixture(scope="module")
def shard():
    unit = IdentityGeneratorStage(RUN).process(
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
    whole = ConditionalGeneratorStage(RUN).process(shard)
    model = Players(RUN.models).conditional_generator
    monkeypatch.setattr(RenderedBackend, "generator", lambda _: Cramped(model, limit))
    halved = ConditionalGeneratorStage(RUN).process(replace(shard))
    assert content_digest(halved.table) == content_digest(whole.table)
    assert halved.dead == ()
    assert halved.notes == {"micro_batch_conditional_generator": {1: "1", 3: "2", 5: "4"}[limit]}


class Picky:
    """A generator that gives some pictures up, as one does whose faces cannot be found."""

    def __init__(self, model, unfit):
        self._model, self._unfit = model, unfit

    def generate(self, identity, recipes):
        made = self._model.generate(identity, recipes)
        unfit = [
            Rejection("no_face", "no face was found in 3 pictures", 0.2, 3) if recipe.seed in self._unfit else None
            for recipe in recipes
        ]
        made.landmarks[[entry is not None for entry in unfit]] = float("nan")
        return replace(made, unfit=unfit)


def test_a_sample_that_was_tried_in_vain_is_rejected_with_its_reason_and_its_neighbours_stay(shard, monkeypatch):
    stage = ConditionalGeneratorStage(RUN)
    whole = stage.process(shard)
    model = Players(RUN.models).conditional_generator
    candidate = shard.table["candidate"][0].as_py()
    bad = [
        recipe for recipe in RenderedBackend(RUN, Players(RUN.models)).recipes(candidate) if recipe.kind == "degraded"
    ][3]
    monkeypatch.setattr(RenderedBackend, "generator", lambda _: Picky(model, {bad.seed}))
    picky = ConditionalGeneratorStage(RUN).process(shard)
    (row,) = picky.dead
    assert (row.item, row.reason, row.value, row.attempts) == ("000000/3", "no_face", 0.2, 3)
    assert json.loads(row.spec) == bad.model_dump(mode="json")
    others = [row for row in whole.table.to_pylist() if row["sample_id"] != "000000/3"]
    assert picky.table.to_pylist() == others


def test_when_every_sample_of_a_batch_is_unfit_all_are_rejected(shard, monkeypatch):
    model = Players(RUN.models).conditional_generator
    candidate = shard.table["candidate"][0].as_py()
    seeds = {recipe.seed for recipe in RenderedBackend(RUN, Players(RUN.models)).recipes(candidate)}
    monkeypatch.setattr(RenderedBackend, "generator", lambda _: Picky(model, seeds))
    nothing = ConditionalGeneratorStage(RUN).process(shard)
    assert nothing.table.num_rows == 0
    assert {row.reason for row in nothing.dead} == {"no_face"}
    assert len(nothing.dead) == 9


def test_photographs_are_taken_detected_and_aligned_and_their_columns_are_kept(shard):
    generate = {"references": 2, "degraded": 6, "portrait_size": 128, "profile": "camera"}
    config = RunConfig.model_validate({"generate": generate})
    run = resolve(config)
    stage = ConditionalGeneratorStage(run)
    assert run.models.detector.name in stage.models
    done = stage.process(shard)
    assert done.dead == ()
    assert done.table.schema == samples_schema(shots=True)
    rows = done.table.to_pylist()
    candidate = shard.table["candidate"][0].as_py()
    assert [recipe_from_row(row) for row in rows] == RenderedBackend(run, Players(run.models)).recipes(candidate)
    references = [row for row in rows if row["kind"] == "reference"]
    assert all(row["detected"] and abs(row["measured_misalignment"]) < 8 for row in references)
    assert all(row["measured_misalignment"] == 0 for row in rows if not row["detected"])
    assert content_digest(ConditionalGeneratorStage(run).process(shard).table) == content_digest(done.table)
    assert content_digest(decode(encode(done.table, "parquet", {}), "parquet")) == content_digest(done.table)
    severe = severities(flat_columns(done.table, CAMERA_FACTORS), CAMERA_FACTORS)
    assert severe["missed"].tolist() == [float(not row["detected"]) for row in rows]
    assert all(np.isfinite(values).all() and values.min() >= 0 for values in severe.values())


@pytest.mark.parametrize("format", ["parquet", "webdataset"])
def test_rows_tell_what_is_hidden_of_each_region_and_files_keep_it(shard, format):
    generate = CONFIG.generate.model_dump() | {"degraded_distribution": {"occluder_rate": 1, "yaw_std": 60}}
    config = RunConfig.model_validate({"generate": generate})
    table = ConditionalGeneratorStage(resolve(config)).process(shard).table
    for row in table.to_pylist():
        told = row["occluded_regions"]
        assert tuple(told) == REGIONS
        known = [share for share in told.values() if share is not None]
        assert all(0 <= share <= 1 for share in known)
        if row["occluder"] == "none":
            assert (row["occluded_fraction"], known) == (0, [0] * len(REGIONS))
        else:
            assert min(known) <= row["occluded_fraction"] <= max(known)
    assert content_digest(decode(encode(table, format, {}), format)) == content_digest(table)
