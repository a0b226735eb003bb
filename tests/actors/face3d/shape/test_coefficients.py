"""The docs' table of coefficients equals the code's."""

from pathlib import Path

import pytest

from synfiqa.actors.face3d.shape.coefficients import AGE_SHIFT, APPEARANCE, SEX_SHIFT, SHAPE

DOCS = (Path(__file__).parents[4] / "docs" / "faces.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [*SHAPE, *APPEARANCE])
def test_the_docs_describe_each_coefficient_as_the_code_does(name):
    assert f"| `{name}` | {(SHAPE | APPEARANCE)[name]} |" in DOCS


def test_only_existing_coefficients_are_shifted_by_sex_or_age():
    assert {*SEX_SHIFT, *AGE_SHIFT} <= set(SHAPE)
