"""Columns of a recipe: derived from its model, in the order and types that run folders of version 5 have."""

import hashlib

import pytest
from pydantic import ValidationError

from synfiqa.schemas.recipe import Recipe, column_of, recipe_fields, value_at, with_value
from synfiqa.schemas.rows import SAMPLES, recipe_from_row, recipe_to_row

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
