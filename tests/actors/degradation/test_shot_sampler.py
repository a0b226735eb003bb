from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError

from synfiqa.actors.degradation.recipe_sampler import identity_recipes
from synfiqa.actors.degradation.shot_sampler import KINDS, faults_of, with_shot
from synfiqa.schemas.config.camera_config import CameraSection
from synfiqa.schemas.config.generate import GenerateSection
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.recipe import Recipe, Shot
from synfiqa.schemas.rows import SHOTS, is_samples_schema, recipe_from_row, recipe_to_row, samples_schema

SECTION = CameraSection()
RECIPES = [Recipe(kind="degraded", seed=seed, profile="camera") for seed in range(1500)]
SHOTS_OF = [with_shot(recipe, SECTION).shot for recipe in RECIPES]
FAULTS = [faults_of(recipe, SECTION) for recipe in RECIPES]


def test_samples_have_as_many_kinds_of_faults_as_commanded_and_all_kinds_occur():
    counts = Counter(map(len, FAULTS))
    shares = [counts[number] / len(FAULTS) for number in range(4)]
    assert shares == pytest.approx(SECTION.fault_shares, abs=0.04)
    kinds = Counter(kind for faults in FAULTS for kind in faults)
    assert set(kinds) == set(KINDS)
    assert kinds["compression"] > 1.4 * kinds["haze"]
    assert not any({"dark", "bright"} <= set(faults) for faults in FAULTS)


def test_a_fault_has_a_strength_in_its_interval_and_others_are_neutral():
    for shot, faults in zip(SHOTS_OF, FAULTS, strict=True):
        for kind in ("blur", "defocus", "shake", "haze", "gamma", "contrast", "patch"):
            low, high = getattr(SECTION, kind)
            value = getattr(shot, kind)
            assert (low * 0.999 <= value <= high * 1.001) if kind in faults else value == Shot().model_dump()[kind]
        assert (shot.gain < 1) is ("dark" in faults)
        assert (shot.gain > 1) is ("bright" in faults)
        assert (shot.eyes < 28) is ("resolution" in faults)
        assert (shot.cut_side != "none") is ("cut" in faults)
        assert (shot.turn != 0) is ("turn" in faults)
        assert (shot.second_face > 0) is ("second_face" in faults)
        assert shot.quality >= 70 or "compression" in faults


def test_strengths_are_log_uniform():
    logs = np.log([shot.quality for shot, faults in zip(SHOTS_OF, FAULTS, strict=True) if "compression" in faults])
    middle = (np.log(2) + np.log(46)) / 2
    assert np.median(logs) == pytest.approx(middle, abs=0.4)


def test_another_weight_or_interval_leaves_the_other_draws_alone():
    changed = CameraSection(weights={"haze": 50}, blur=(0.1, 0.12))
    kept = changed_faults = 0
    for recipe, before, faults in zip(RECIPES[:300], SHOTS_OF, FAULTS, strict=False):
        after, now = with_shot(recipe, changed).shot, faults_of(recipe, changed)
        assert (after.head, after.shift_x, after.codec) == (before.head, before.shift_x, before.codec)
        for kind in ("shake", "turn", "gamma"):
            if kind in faults and kind in now:
                assert getattr(after, kind) == getattr(before, kind)
                kept += 1
        changed_faults += now != faults
    assert kept > 4
    assert changed_faults > 50
    assert not any("noise" in faults_of(recipe, CameraSection(weights={"noise": 0})) for recipe in RECIPES)


def test_avif_is_drawn_where_a_fourth_weight_asks_for_it_and_codecs_are_else_as_before():
    before = [with_shot(recipe, SECTION).shot.codec for recipe in RECIPES]
    assert set(before) == {"jpeg", "jpeg2000", "webp"}
    none = CameraSection(codec_weights=(*SECTION.codec_weights, 0))
    assert not none.draws_avif
    assert [with_shot(recipe, none).shot.codec for recipe in RECIPES] == before
    half = CameraSection(codec_weights=(1, 0, 0, 1))
    assert half.draws_avif
    shots = [with_shot(recipe, half).shot for recipe in RECIPES]
    assert np.mean([shot.codec == "avif" for shot in shots]) == pytest.approx(0.5, abs=0.05)


def test_references_are_good_photographs_without_faults():
    for seed in range(40):
        shot = with_shot(Recipe(kind="reference", seed=seed, profile="camera"), SECTION).shot
        assert shot.eyes >= 45
        assert shot.noise <= 1.5
        assert shot.quality >= 88
        usual = Shot(
            **{name: getattr(shot, name) for name in ("head", "shift_x", "shift_y", "eyes", "noise", "quality")}
        )
        assert shot == usual


def test_the_crop_has_no_factors_of_its_own_and_scenes_vary_as_before():
    recipes = identity_recipes(1, 0, GenerateSection(profile="camera", degraded=40))
    before = identity_recipes(1, 0, GenerateSection(degraded=40))
    for recipe, other in zip(recipes, before, strict=True):
        assert (recipe.blur, recipe.downsample, recipe.motion, recipe.noise, recipe.misalignment) == (1, 1, 0, 0, 0)
        assert (recipe.pose, recipe.expression, recipe.occluder) == (other.pose, other.expression, other.occluder)
        assert 0.5 <= recipe.light.exposure <= 1.6
        assert other.shot is None


def test_a_shot_is_absent_elsewhere_and_survives_json_and_tables():
    plain, taken = Recipe(kind="degraded", seed=3), with_shot(RECIPES[3], SECTION)
    assert "shot" not in plain.model_dump()
    assert Recipe.model_validate_json(taken.model_dump_json()) == taken
    assert not set(recipe_to_row(plain)) & set(SHOTS.names)
    row = recipe_to_row(taken)
    schema = pa.schema([field for field in samples_schema(shots=True) if field.name in row])
    (stored,) = pa.Table.from_pylist([row], schema=schema).to_pylist()
    assert recipe_from_row(stored) == taken
    assert is_samples_schema(samples_schema(("dust",), ("norm",), shots=True))


def test_the_section_belongs_to_its_profile_and_is_checked():
    with pytest.raises(ValidationError, match="camera is set but profile is corrected"):
        GenerateSection(camera=CameraSection(shift=0.1))
    with pytest.raises(ValidationError, match=r"portrait_size is 64, .* set it to 128 or more"):
        GenerateSection(profile="camera", portrait_size=64)
    assert GenerateSection(portrait_size=64).portrait_size == 64
    with pytest.raises(ValidationError, match="low <= high"):
        CameraSection(eyes=(5, 50))
    with pytest.raises(ValidationError, match="fault_shares must sum to 1"):
        CameraSection(fault_shares=(0.5, 0.2))
    models = {"conditional_generator": "diffusion", "conditional_diffusion": "any"}
    with pytest.raises(ValidationError, match="composes no photographs"):
        RunConfig.model_validate({"generate": {"profile": "camera"}, "models": models})
    with pytest.raises(ValidationError, match=r"storage\.portraits is true"):
        RunConfig.model_validate({"generate": {"profile": "camera"}, "storage": {"portraits": True}})


def test_runs_without_a_camera_keep_their_fingerprint_document():
    assert "camera" not in RunConfig().recipe_sections()["generate"]
    own = RunConfig.model_validate({"generate": {"profile": "camera", "camera": {"haze": [0.3, 0.4]}}})
    assert own.recipe_sections()["generate"]["camera"]["haze"] == [0.3, 0.4]
