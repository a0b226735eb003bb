"""What the diffusion backend decides without a model: templates, prompts, degradations, and which inputs fit."""

import json
from dataclasses import replace

import pytest

from synfiqa.actors.degradation.recipe_sampler import degraded_recipes
from synfiqa.actors.generation.conditional.backends import backend_of
from synfiqa.actors.generation.conditional.parametric_bank import parametric_bank
from synfiqa.actors.generation.conditional.template_bank import TemplateBank
from synfiqa.actors.generation.controlled_diffusion.prompts import PromptBook
from synfiqa.actors.model_store.resolved_run import resolve, verify_weights
from synfiqa.actors.model_store.selection import run_models
from synfiqa.actors.players import Players
from synfiqa.schemas.config.generate import DegradedSection
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.errors import UserError
from tests.actors.generation.diffusion_chain_config import DIFFUSION, config
from tests.actors.model_store.recipes import fingerprint


def backend(config):
    run = resolve(config)
    return backend_of(run, Players(run.models))


def bank(references=2, degraded=6, space="procedural"):
    return parametric_bank(3, references, degraded, space, DegradedSection(yaw_std=40))


def written(folder, **changes):
    found = replace(bank(), **changes)
    found.save(folder / "bank.json")
    return str(folder / "bank.json")


def test_references_show_every_reference_template_and_degraded_samples_different_others(tmp_path):
    made = backend(config(tmp_path))
    for candidate in (0, 1):
        recipes = made.recipes(candidate)
        assert [recipe.template for recipe in recipes[:2]] == ["REF-00000", "REF-00001"]
        degraded = [recipe.template for recipe in recipes[2:]]
        assert len(set(degraded)) == 4
        assert all(token.startswith("DEG-") for token in degraded)
    assert [r.template for r in made.recipes(0)] != [r.template for r in made.recipes(1)]
    assert made.recipes(0) == backend(config(tmp_path)).recipes(0)


def test_the_pose_of_a_recipe_is_that_of_its_template(tmp_path):
    made = backend(config(tmp_path))
    templates = {template.token: template for template in made.bank.degradations}
    for recipe in made.recipes(5)[2:]:
        tags = templates[recipe.template].tags
        found = [recipe.pose.yaw, recipe.pose.pitch, recipe.pose.roll]
        assert found == pytest.approx([tags["yaw"], tags["pitch"], tags["roll"]], abs=1e-3)


def test_degradations_are_drawn_as_for_rendered_samples(tmp_path):
    run = config(tmp_path)
    drawn = degraded_recipes(0, 7, 4, run.generate.degraded_distribution, "corrected")
    for recipe, other in zip(backend(run).recipes(7)[2:], drawn, strict=True):
        for name in ("seed", "downsample", "blur", "motion", "misalignment", "jpeg_quality", "profile"):
            assert getattr(recipe, name) == getattr(other, name)
        assert recipe.occluder == "none"


def test_darkness_is_the_templates_so_it_brings_no_noise(tmp_path):
    dark = {"degraded_distribution": {"exposure_rate": 1.0, "noise_rate": 0.0}}
    recipes = [r for n in range(6) for r in backend(config(tmp_path, generate=dark)).recipes(n)]
    assert {recipe.noise for recipe in recipes} == {0.0}
    assert {recipe.light.exposure for recipe in recipes} == {1.0}
    noisy = {"degraded_distribution": {"exposure_rate": 1.0, "noise_rate": 1.0, "noise": [5, 9]}}
    shown = [r for r in backend(config(tmp_path, generate=noisy)).recipes(0) if r.kind == "degraded"]
    assert all(4.9 < recipe.noise < 9.1 for recipe in shown)


def test_as_released_nothing_but_blur_and_resolution_is_lost(tmp_path):
    for recipe in backend(config(tmp_path, profile="faithful")).recipes(0):
        assert (recipe.motion, recipe.noise, recipe.misalignment) == (0, 0, 0)


def test_every_degraded_sample_has_a_scene_and_as_released_only_the_last_of_them(tmp_path):
    book = PromptBook()
    sizes = {"references": 2, "degraded": 8}
    corrected = backend(config(tmp_path, generate=sizes)).recipes(0)
    assert {recipe.prompt for recipe in corrected[:2]} == {book.reference}
    assert all(recipe.prompt.startswith(book.stem) for recipe in corrected[2:])
    assert len({recipe.prompt for recipe in corrected[2:]}) > 4
    faithful = backend(config(tmp_path, profile="faithful", generate=sizes)).recipes(0)
    assert {recipe.prompt for recipe in faithful[:8]} == {book.reference}
    assert all(recipe.prompt.startswith(book.stem) for recipe in faithful[8:])


def test_prompts_of_the_card_are_used(tmp_path):
    own = DIFFUSION | {"arguments": DIFFUSION["arguments"] | {"prompts": {"stem": "a head", "suffixes": ["at sea"]}}}
    recipes = backend(config(tmp_path, entries={"own": own}, conditional_diffusion="own")).recipes(0)
    assert {recipe.prompt for recipe in recipes[2:]} == {"a head at sea"}


def test_a_bank_of_a_file_is_shown_and_enters_the_recipe_by_its_content(tmp_path):
    path = written(tmp_path)
    run = config(tmp_path, diffusion={"templates": path})
    assert {recipe.template for recipe in backend(run).recipes(0)[2:]} <= {t.token for t in bank().degradations}
    before = fingerprint(run)
    (tmp_path / "elsewhere.json").write_bytes((tmp_path / "bank.json").read_bytes())
    assert fingerprint(config(tmp_path, diffusion={"templates": str(tmp_path / "elsewhere.json")})) == before
    written(tmp_path, degradations=bank(degraded=8).degradations)
    assert fingerprint(run) != before


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"references": bank(references=3).references}, "holds 3 references but the run asks for 2"),
        ({"degradations": bank(degraded=3).degradations}, "holds 3 degraded templates but an identity needs 4"),
        ({"degradations": bank().degradations[:1] * 5}, "5 templates 'DEG-00000': rename all but one"),
        (
            {"references": bank(space="flame").references, "degradations": bank(space="flame").degradations},
            "has expressions of 50 numbers but procedural-face takes 10",
        ),
    ],
)
def test_a_bank_that_does_not_fit_the_run_is_refused(tmp_path, changes, sentence):
    run = config(tmp_path, diffusion={"templates": written(tmp_path, **changes)})
    with pytest.raises(UserError, match=sentence):
        backend(run)


def test_an_empty_and_a_missing_bank_are_refused(tmp_path):
    document = json.loads((tmp_path / written(tmp_path)).read_text()) | {"DEG": []}
    (tmp_path / "empty.json").write_text(json.dumps(document))
    with pytest.raises(UserError, match="DEG is empty"):
        backend(config(tmp_path, diffusion={"templates": str(tmp_path / "empty.json")}))
    with pytest.raises(UserError, match=r"the template bank .*nowhere.json cannot be read"):
        verify_weights(resolve(config(tmp_path, diffusion={"templates": str(tmp_path / "nowhere.json")})))


def test_the_fingerprint_follows_the_chain_only_where_it_is_used(tmp_path):
    base = fingerprint(config(tmp_path))
    for changed in ({"diffusion": {"tries": 4}}, {"diffusion": {"min_identity": 0.2}}):
        assert fingerprint(config(tmp_path, **changed)) != base
    rendered = RunConfig()
    assert "diffusion" not in rendered.recipe_sections()
    assert fingerprint(rendered) == fingerprint(RunConfig.model_validate({"diffusion": {"tries": 9}}))


@pytest.mark.parametrize(
    ("field", "role"),
    [
        ("face_model", "face_model"),
        ("face_encoder", "face_encoder"),
        ("face_parser", "face_parser"),
        ("conditional_diffusion", "conditional_diffusion"),
        ("control_embedder", "embedder"),
    ],
)
def test_every_field_of_the_chain_wants_a_card_of_its_role(tmp_path, field, role):
    with pytest.raises(UserError, match="There is no model 'nonesuch'"):
        run_models(config(tmp_path, **{field: "nonesuch"}).models)
    with pytest.raises(UserError, match=f"'mtcnn' plays the role detector, not {role}"):
        run_models(config(tmp_path, **{field: "mtcnn"}).models)


def test_an_embedder_of_other_numbers_and_an_encoder_of_another_face_are_refused(tmp_path):
    with pytest.raises(UserError, match="bundled-a embeds faces in 128 numbers but the image model takes 512"):
        run_models(config(tmp_path, control_embedder="").models)
    flame = {
        "role": "face_model",
        "architecture": "flame",
        "source": "random:0",
        "input_size": 224,
        "channels": "rgb",
        "value_range": [0, 1],
        "output": "a head",
        "licence": "Apache-2.0",
        "commercial_use": True,
    }
    with pytest.raises(UserError, match=r"procedural-encoder does not measure the parameters of head: .* deca-coarse"):
        run_models(config(tmp_path, entries={"head": flame}, face_model="head").models)


def test_diffusion_without_a_model_is_refused():
    with pytest.raises(ValueError, match=r"name its card in models\.conditional_diffusion"):
        RunConfig.model_validate({"models": {"conditional_generator": "diffusion"}})


def test_a_bank_travels_with_the_backend_for_no_worker_sees_the_file(tmp_path):
    made = backend(config(tmp_path, diffusion={"templates": written(tmp_path)}))
    (tmp_path / "bank.json").unlink()
    assert isinstance(made.bank, TemplateBank)
    assert len(made.recipes(0)) == 6
