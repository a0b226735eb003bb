"""Readers of the table of factors return what they returned while each had constants of its own.

The digests were taken before there was a table. They change only with a recipe version, a version of the
rendered benchmark, or new bundled networks.
"""

import hashlib
import json
import re
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from synfiqa.actors.degradation.recipe_sampler import degraded_recipes, reference_recipes
from synfiqa.actors.image_text.captions import FACTORS, WORDINGS, attributes, caption
from synfiqa.fiqa_train.bundled import ladders as bundled_ladders
from synfiqa.fiqa_train.bundled.ladders import ladders
from synfiqa.fiqa_train.bundled.render_set import RenderSet, ladder_recipes
from synfiqa.fiqa_train.labels import severities
from synfiqa.fiqa_train.rendered_benchmark.operators import Operator
from synfiqa.fiqa_train.rendered_benchmark.plan import Settings, frames
from synfiqa.schemas.config.generate import DegradedSection
from synfiqa.schemas.factors import ordered_ladders

EVERY_FAULT = DegradedSection(**{name: 1.0 for name in DegradedSection.model_fields if name.endswith("_rate")})


def drawn(section):
    return [recipe for person in range(25) for recipe in degraded_recipes(7, person, 20, section, "corrected")]


RECIPES = {"default": drawn(DegradedSection()), "every fault": drawn(EVERY_FAULT)}


def digest(content):
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("default", "797a213bf225e58b0a4f92122a997795a5b2858054dc857751038a80aa5d72ad"),
        ("every fault", "b92419c657dcdb87d88c41dca1d80f2e4a1ec01cbbab0cb2303cbac20a83b2cc"),
    ],
)
def test_degraded_recipes_are_the_same(name, expected):
    assert digest([recipe.model_dump(mode="json") for recipe in RECIPES[name]]) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("default", "f29a55dc7a831f782a69a07732254d3202e7bdc88743093c09f14c98897b45f7"),
        ("every fault", "b608f335c9700a56eabfeb6a7726fe33e06daf50d70e602d749d81a803d41dfd"),
    ],
)
def test_captions_are_the_same(name, expected):
    rng = np.random.default_rng(3)
    assert digest([caption(recipe, rng) for recipe in RECIPES[name]]) == expected


def test_classes_of_captions_have_their_numbers():
    """Heads of the bundled image-text network are trained on class numbers: their order is part of its bytes."""
    assert (
        digest([[subject, list(WORDINGS[subject])] for subject in FACTORS])
        == "ca3d6fa9149a91336822bf2c3e155f9c5a1b96cc29ffdfd219387936c27b80a7"
    )
    assert all(tuple(attributes(recipe)) == FACTORS for recipe in RECIPES["every fault"][:20])


def test_severities_have_their_order():
    """Labels store fitted costs by the order of the severities."""
    assert (
        digest([severities.FACTORS, severities.COLUMNS, severities.FLAT_COLUMNS])
        == "5620b79e461cd461a574b1ed4d82c15fdf4d72e354bd22c5be5ae0be8380ed15"
    )


def test_images_of_the_rendered_benchmark_are_the_same():
    plan = [frame for number in range(4) for frame in frames(Settings(), number)]
    shown = [
        (one.path, one.factor, one.step, one.level, one.recipe.model_dump(mode="json"), repr(one.operator))
        for one in plan
    ]
    assert digest(shown) == "9ec9fec57af1aa6058aaceb110a981a13ba41746fc063e063083af074b915912"


def test_ladders_of_the_bundled_networks_are_the_same():
    recipes = list(ladder_recipes(reference_recipes(1, 1, 1, "corrected")[0]))
    assert (
        digest([recipe.model_dump(mode="json") for recipe in recipes])
        == "652a01534dab6a6164ef2eb4fe3f4177ac375ae4c3c02fbd59213028945a15a9"
    )
    crops = np.zeros((len(recipes), 112, 112, 3), np.uint8)
    zeros = np.zeros(len(recipes), int)
    held_out = RenderSet(crops, zeros, recipes, np.full(len(recipes), "ladder"), zeros)
    assert (
        digest([name for name, _, _ in ladders(held_out)])
        == "aa17fa759449d4326d8627a72ed7cebd9f947b79ca0bb2ce4229dd79712475d3"
    )


def test_a_factor_is_named_in_six_files():
    """Row, recipe field, config keys, operator, registry of operators, and what counts as fault-free; in no reader."""
    root = Path(__file__).resolve().parents[3]
    files = [
        file for top in ("schemas", "actors", "fiqa_train", "jobs", "cluster") for file in (root / top).rglob("*.py")
    ]
    naming = [str(file.relative_to(root)) for file in files if re.search(r"\bmisalignment\b", file.read_text("utf-8"))]
    assert sorted(naming) == [
        "actors/degradation/degrade.py",
        "actors/degradation/misalignment.py",
        "fiqa_train/labels/centred/fault_free.py",
        "schemas/config/generate.py",
        "schemas/factors/capture.py",
        "schemas/recipe.py",
    ]


def test_ladders_on_the_crop_name_operators_of_their_use():
    rows = [*ordered_ladders(lambda row: row.bundled)]
    assert {ladder.crop for _, ladder in rows} - {""} == set(bundled_ladders._OPERATORS)
    rows = [*ordered_ladders(lambda row: row.ladders)]
    assert {ladder.crop for _, ladder in rows} - {""} == {field.name for field in fields(Operator)}
