"""Candidates by a model of the catalogue: its player makes them, its card and its weights enter the recipe."""

import json

import pytest

from synfiqa.actors.imaging.codec import encode_jpeg
from synfiqa.actors.model_store.resolved_run import resolve, verify_weights
from synfiqa.actors.model_store.selection import run_models
from synfiqa.actors.players import Players
from synfiqa.actors.stages.identity_generator import PORTRAIT_QUALITY, IdentityGeneratorStage, candidate_seed
from synfiqa.cluster.pipeline.stage import Work
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.rows import CANDIDATES
from tests.actors.model_store.cards import SMALL, catalogue_file
from tests.actors.model_store.recipes import fingerprint

ADM = {
    "role": "identity_generator",
    "architecture": "adm-unet",
    "arguments": {
        "image_size": 16,
        "base": 32,
        "multipliers": [1, 2],
        "attention_at": [],
        "head_channels": 16,
        "steps": 2,
    },
    "source": "random:1",
    "input_size": 16,
    "channels": "rgb",
    "value_range": [-1, 1],
    "output": "uint8 RGB (16, 16, 3)",
    "licence": "Apache-2.0",
    "commercial_use": True,
}


def config(folder, name="adm", **changes):
    """Return a config whose identities come from the catalogue; what shows them is not asked for here."""
    catalogue = catalogue_file(folder, adm=ADM | changes, embedder=SMALL)
    whole = RunConfig.model_validate(
        {"models": {"catalogue": str(catalogue), "cache": str(folder / "cache"), "micro_batch": 2}}
    )
    return whole.model_copy(update={"models": whole.models.model_copy(update={"identity_generator": name})})


def candidates(run, first=0, count=3):
    stage = IdentityGeneratorStage(resolve(run))
    stage.setup()
    return stage.process(Work("identities", 0, CANDIDATES.empty_table(), plan={"first": first, "count": count}))


def test_the_candidates_of_a_unit_are_what_the_player_makes_of_their_seeds(tmp_path):
    run = config(tmp_path)
    made = candidates(run)
    assert made.dead == ()
    seeds = [candidate_seed(0, number) for number in range(3)]
    assert made.table["seed"].to_pylist() == seeds
    expected = Players(run_models(run.models)).identity_generator.generate(seeds)
    for row, candidate in zip(made.table.to_pylist(), expected, strict=True):
        assert json.loads(row["attributes"]) == {}
        assert candidate.image.shape == (16, 16, 3)
        assert row["image"]["bytes"] == encode_jpeg(candidate.image, PORTRAIT_QUALITY)


def test_a_candidate_does_not_depend_on_the_unit_that_it_is_made_in(tmp_path):
    run = config(tmp_path)
    whole, alone = candidates(run).table, candidates(run, first=2, count=1).table
    assert whole["image"].to_pylist()[2] == alone["image"].to_pylist()[0]


def test_the_stage_says_which_model_it_loads(tmp_path):
    assert IdentityGeneratorStage(resolve(config(tmp_path))).models == ("adm",)
    assert IdentityGeneratorStage(resolve(RunConfig())).models == ("procedural",)


def test_weights_and_card_of_the_generator_are_part_of_the_recipe(tmp_path):
    first = config(tmp_path)
    run = resolve(first)
    assert "adm" in verify_weights(run).digests
    assert run.cards[0].name == "adm"
    before = fingerprint(first)
    assert fingerprint(config(tmp_path, source="random:2")) != before
    assert fingerprint(config(tmp_path, arguments=ADM["arguments"] | {"steps": 3})) != before
    assert fingerprint(config(tmp_path)) == before


def test_a_card_of_another_role_is_refused(tmp_path):
    with pytest.raises(UserError, match="'embedder' plays the role embedder, not identity_generator"):
        run_models(config(tmp_path, name="embedder").models)
    with pytest.raises(UserError, match="There is no model 'nonesuch'"):
        run_models(config(tmp_path, name="nonesuch").models)


def test_procedural_heads_are_all_that_the_procedural_generator_can_show():
    with pytest.raises(ValueError, match="the procedural conditional generator cannot show the identities of adm"):
        RunConfig.model_validate({"models": {"identity_generator": "adm"}})
