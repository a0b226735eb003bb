"""The table of factors agrees with the recipe, with the columns of samples and with the page in docs."""

from pathlib import Path

import numpy as np
import pytest

from synfiqa.schemas.config.generate import DegradedSection
from synfiqa.schemas.factors import FACTORS, after_rendering
from synfiqa.schemas.factors.camera_rows import CAMERA_FACTORS
from synfiqa.schemas.factors.factor import Caption, Signs
from synfiqa.schemas.factors.markdown import factor_page
from synfiqa.schemas.factors.photograph_ladders import PHOTOGRAPH_LADDERS
from synfiqa.schemas.factors.rules import check_factors
from synfiqa.schemas.recipe import REGIONS, Recipe, Shot, column_of, recipe_fields
from synfiqa.schemas.rows import SAMPLES, SHOTS

PAGE = Path(__file__).resolve().parents[3] / "docs" / "factors.md"
FIELDS = dict(recipe_fields())


@pytest.mark.parametrize(
    "row", [row for row in FACTORS if row.field in FIELDS and row.range], ids=lambda row: row.field
)
def test_the_range_of_a_row_is_that_of_its_field(row):
    bounds = {
        name: getattr(part, name)
        for part in FIELDS[row.field].metadata
        for name in ("ge", "gt", "le")
        if hasattr(part, name)
    }
    assert (bounds.get("ge", bounds.get("gt")), bounds["le"]) == row.range


def test_severities_are_computed_from_columns_of_samples():
    known = {*SAMPLES.names, *(f"covered_{region}" for region in REGIONS)}
    assert {column for row in FACTORS for severity in row.severities for column in severity.columns} <= known
    assert {row.column for row in FACTORS if row.shown} <= known


def test_rows_of_the_camera_are_computed_from_columns_that_only_its_runs_have():
    check_factors((*FACTORS, *CAMERA_FACTORS))
    assert {column for row in CAMERA_FACTORS for part in row.severities for column in part.columns} <= set(SHOTS.names)
    assert {row.column for row in CAMERA_FACTORS} <= set(SHOTS.names)
    neutral = {name: np.full(1, value) for name, value in columns_of(Shot()).items()}
    for row in CAMERA_FACTORS:
        for part in row.severities:
            if part.name not in ("crop_turn", "missed", "camera_codec"):
                assert max(0.0, float(part.of(*(neutral[name] for name in part.columns))[0])) == 0, part.name


def columns_of(shot):
    return {column_of(f"shot.{name}"): value for name, value in shot.model_dump().items() if not isinstance(value, str)}


PHOTOGRAPH = Recipe(kind="degraded", seed=1, profile="camera", shot=Shot(quality=100))


@pytest.mark.parametrize(("row", "ladder"), PHOTOGRAPH_LADDERS, ids=lambda one: getattr(one, "name", ""))
def test_a_ladder_of_photographs_leads_from_no_effect_away(row, ladder):
    for signs in (Signs(), Signs(-1, -1, -1, -1)):
        recipes = [row.at_level(PHOTOGRAPH, ladder, level, signs) for level in ladder.levels]
        same = [{**recipe.model_dump(), "shot": {**recipe.shot.model_dump(), **unseen(recipe)}} for recipe in recipes]
        assert same[0] == {**PHOTOGRAPH.model_dump(), "shot": {**PHOTOGRAPH.shot.model_dump(), **unseen(PHOTOGRAPH)}}
        assert len(set(recipes)) == len(ladder.levels) == 6
        if row.field != "occluder":
            away = [abs(row.value(recipe) - row.neutral) for recipe in recipes]
            # The edge of a picture comes nearer, 0 being none.
            assert (away[1:] == sorted(away[1:], reverse=True)) if row.field == "shot.cut" else away == sorted(away)


def unseen(recipe):
    """Fields without effect at no strength: the kind of noise that there is not, the codec of quality 100."""
    shot = recipe.shot
    none = {"noise_kind": "sensor"} if not shot.noise else {}
    none |= {"codec": "jpeg"} if shot.quality == 100 else {}
    return none | ({"second_x": 0.0} if not shot.second_face else {})


def test_rows_of_the_camera_name_components_of_ofiq():
    named = {row.field: row.components for row in CAMERA_FACTORS}
    assert named["shot.head"] == ("HeadSize",)
    assert named["shot.eyes"] == ("InterEyeDistance", "Sharpness")
    assert len(named["shot.cut"]) == 4
    assert all(row.ladders for row in CAMERA_FACTORS)


def test_every_rate_of_the_config_is_that_of_a_fault_or_of_the_renderer():
    rates = {name for name in DegradedSection.model_fields if name.endswith("_rate")}
    drawn = {row.fault.rate for row in FACTORS if row.fault}
    assert rates - drawn == {"expression_rate", "harsh_light_rate", "occluder_rate"}
    assert drawn <= rates


def test_six_factors_act_after_rendering():
    assert {row.field for row in after_rendering()} == {
        *("misalignment", "downsample", "blur", "motion", "noise", "jpeg_quality")
    }


def test_a_number_has_the_class_of_the_first_step_above_it():
    caption = Caption("size", {}, steps=(("small", 1.0), ("middle", 2.0)), beyond="large")
    assert [caption.classify(value) for value in (0.5, 1.0, 1.9, 2.0)] == ["small", "middle", "middle", "large"]
    assert caption.classify("hat") == "hat"


def test_no_angle_is_minus_nought():
    """A head that is turned by -0.3 degrees stood in reports as yaw -0°."""
    angles = [row.shown.remark for row in (*FACTORS, *CAMERA_FACTORS) if row.shown and "°" in row.shown.remark]
    assert len(angles) >= 3
    assert not [remark for remark in angles if "-0" in remark.format(-0.3)]


def test_the_page_in_docs_is_current():
    assert PAGE.read_text(encoding="utf-8") == factor_page(), (
        "run: python -m synfiqa.schemas.factors.markdown > docs/factors.md"
    )
