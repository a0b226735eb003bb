"""Severities: 0 for what harms nothing, growing with the harm, one for each factor that a recipe commands."""

import numpy as np
import pyarrow as pa
import pytest

from benchmarks.quality.face_bars.ladders.factors import FACTORS as LADDERS
from benchmarks.quality.face_bars.ladders.people import base_recipe
from synfiqa.fiqa_train.labels.severities import COLUMNS, FACTORS, FLAT_COLUMNS, flat_columns, severities
from synfiqa.schemas.recipe import Expression, Recipe
from synfiqa.schemas.rows import REGIONS, SAMPLES, recipe_to_row

SCHEMA = pa.schema([SAMPLES.field(name) for name in COLUMNS])
CLEAN = Recipe(kind="degraded", seed=0, jpeg_quality=95)


def table(*recipes, yaw=0.0, regions=None):
    rows = [recipe_to_row(recipe) | {"measured_yaw": yaw, "occluded_regions": regions} for recipe in recipes]
    return pa.Table.from_pylist([{name: row[name] for name in COLUMNS} for row in rows], schema=SCHEMA)


def of(*recipes, **known):
    return severities(flat_columns(table(*recipes, **known)))


def changed(**fields):
    return CLEAN.model_copy(update=fields)


def test_a_sample_that_nothing_harms_has_no_severity():
    found = of(CLEAN)
    assert tuple(found) == FACTORS
    assert {name: float(values[0]) for name, values in found.items() if values[0]} == {}
    assert {values.dtype for values in found.values()} == {np.dtype(np.float32)}


@pytest.mark.parametrize(
    ("fields", "factor", "severity"),
    [
        ({"pose": CLEAN.pose.model_copy(update={"pitch": -20.0})}, "pitch", 20),
        ({"pose": CLEAN.pose.model_copy(update={"roll": -7.0})}, "roll", 7),
        ({"downsample": 4.0}, "downsample", np.log(4)),
        ({"blur": 2.0}, "blur", np.log(2)),
        ({"motion": 12.0}, "motion", 12),
        ({"noise": 30.0}, "noise", 30),
        ({"jpeg_quality": 19}, "jpeg", np.log(5)),
        ({"light": CLEAN.light.model_copy(update={"exposure": 0.25})}, "dark", np.log(4)),
        ({"light": CLEAN.light.model_copy(update={"exposure": 3.0})}, "bright", np.log(3)),
        ({"light": CLEAN.light.model_copy(update={"harshness": 0.8})}, "harsh_light", 0.8),
        ({"light": CLEAN.light.model_copy(update={"cast": 0.4})}, "light_cast", 0.4),
        ({"camera_distance": 1.5}, "near_camera", 2.0),
        ({"misalignment": -30.0}, "misalignment", 30),
        ({"gaze": CLEAN.gaze.model_copy(update={"yaw": 3.0, "pitch": -4.0})}, "gaze", 5),
        *[({"expression": Expression(**{unit: 0.7})}, unit, 0.7) for unit in Expression.model_fields],
    ],
)
def test_each_factor_has_a_severity_of_its_own(fields, factor, severity):
    found = {name: float(values[0]) for name, values in of(changed(**fields)).items() if values[0]}
    assert found == {factor: pytest.approx(severity, rel=1e-6)}


def test_light_from_the_side_is_another_factor_than_light_from_the_camera():
    light = CLEAN.light.model_copy(update={"harshness": 0.5})
    found = of(*(changed(light=light.model_copy(update={"azimuth": azimuth})) for azimuth in (0.0, 90.0, -90.0)))
    assert found["harsh_light_aside"].tolist() == pytest.approx([0, 0.5, 0.5])


def test_yaw_is_the_measured_one_without_its_sign():
    turned = changed(pose=CLEAN.pose.model_copy(update={"yaw": 50.0}))
    assert of(turned, yaw=-42.0)["yaw"].tolist() == [42.0]


def test_regions_are_single_factors_and_an_unknown_one_costs_nothing():
    shares = dict.fromkeys(REGIONS, 0.25) | {"nose": None, "chin": 1.0}
    found = of(CLEAN, regions=shares)
    assert [float(found[f"covered_{region}"][0]) for region in REGIONS] == [
        {"nose": 0, "chin": 1}.get(region, 0.25) for region in REGIONS
    ]
    assert not any(of(CLEAN, regions=None)[f"covered_{region}"][0] for region in REGIONS)


def test_what_nobody_knows_harms_nothing():
    rows = [dict.fromkeys(COLUMNS)]
    found = severities(flat_columns(pa.Table.from_pylist(rows, schema=SCHEMA)))
    assert [float(values[0]) for values in found.values()] == [0] * len(FACTORS)


def test_columns_are_told_flat_and_no_rows_are_no_rows():
    empty = flat_columns(SCHEMA.empty_table())
    assert tuple(empty) == FLAT_COLUMNS
    assert {len(values) for values in severities(empty).values()} == {0}


@pytest.mark.parametrize(
    "ladder", [factor for factor in LADDERS.values() if factor.command], ids=lambda ladder: ladder.name
)
def test_no_severity_falls_along_a_ladder_of_one_factor(ladder):
    """Occluders are told by the regions that they hide, yaw as it is measured: neither is in a recipe alone."""
    base = base_recipe(0, 3)
    found = of(*(ladder.recipe(base, level) for level in ladder.levels))
    for name, values in found.items():
        assert (np.diff(values) >= 0).all(), name
