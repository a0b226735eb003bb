"""Columns of a recipe: derived from its model, in the order and types that run folders of version 5 have."""

import hashlib

import pyarrow as pa
import pytest
from pydantic import ValidationError

from synfiqa.schemas.recipe import Recipe, column_of, recipe_fields, value_at, with_value
from synfiqa.schemas.rows import SAMPLES, is_samples_schema, recipe_from_row, recipe_to_row, samples_schema

VERSION_5 = "6e4e6ca017b3d6319b814adcf8b38d16fe7c2fd1e1a156284c77a34fd4670a6e"
"""SHA-256 of the schema while its recipe columns were a literal list."""


def test_the_derived_columns_are_those_of_version_5():
    assert hashlib.sha256(SAMPLES.to_string().encode()).hexdigest() == VERSION_5


def test_a_row_holds_every_value_of_a_recipe_under_a_column_of_its_own():
    recipe = Recipe(kind="degraded", seed=3, noise=4.0, light={"cast": 0.5}, pose={"yaw": 7.0})
    row = recipe_to_row(recipe)
    assert len(row) == len(list(recipe_fields()))
    assert (row["light_cast"], row["yaw"], row["noise"]) == (0.5, 7.0, 4.0)
    assert recipe_from_row(row) == recipe


def test_a_value_is_found_and_changed_at_its_path():
    recipe = Recipe(kind="degraded", seed=3)
    assert (column_of("light.cast"), column_of("pose.yaw"), column_of("noise")) == ("light_cast", "yaw", "noise")
    changed = with_value(with_value(recipe, "light.cast", 1), "noise", 5)
    assert (value_at(changed, "light.cast"), value_at(changed, "noise")) == (1.0, 5.0)
    assert changed.light.elevation == recipe.light.elevation
    with pytest.raises(ValidationError, match="cast"):
        with_value(recipe, "light.cast", 2)


def test_factors_of_plug_ins_and_scores_are_columns_at_the_end_in_order_of_names():
    schema = samples_schema(factors=("sand", "dust"), scorers=("norm",))
    assert schema.names == [*SAMPLES.names, "factor_dust", "factor_sand", "score_norm"]
    assert samples_schema() == SAMPLES
    with_portraits = samples_schema(("dust",), ("norm",), portraits=True)
    assert with_portraits.names[len(SAMPLES) :] == ["portrait", "portrait_landmarks", "factor_dust", "score_norm"]


@pytest.mark.parametrize(
    ("schema", "right"),
    [
        (SAMPLES, True),
        (samples_schema(("dust",), ("norm",)), True),
        (samples_schema(("dust",), ("norm",), portraits=True), True),
        (SAMPLES.append(samples_schema(portraits=True).field("portrait")), False),
        (SAMPLES.append(pa.field("dust", pa.float32())), False),
        (SAMPLES.append(pa.field("factor_dust", pa.float64())), False),
        (SAMPLES.append(pa.field("score_norm", pa.float32())).append(pa.field("factor_dust", pa.float32())), False),
        (SAMPLES.remove(3), False),
    ],
)
def test_only_such_columns_may_follow_those_of_every_run(schema, right):
    assert is_samples_schema(schema) is right


def test_factors_of_plug_ins_survive_a_row():
    recipe = with_value(with_value(Recipe(kind="degraded", seed=4), "plugins.sand", 2.0), "plugins.dust", 3.0)
    assert recipe.plugins == (("dust", 3.0), ("sand", 2.0))
    assert value_at(recipe, "plugins.dust") == 3.0
    row = recipe_to_row(recipe)
    assert (row["factor_dust"], row["factor_sand"]) == (3.0, 2.0)
    assert recipe_from_row(row) == recipe


def test_a_recipe_without_plug_ins_is_written_as_before_there_were_any():
    assert "plugins" not in Recipe(kind="degraded", seed=4).model_dump(mode="json")
