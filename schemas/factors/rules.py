"""Checks of the table of factors; an error names the row and the remedy."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from synfiqa.schemas.errors import UserError
from synfiqa.schemas.factors.factor import Factor, Ladder
from synfiqa.schemas.factors.ofiq_components import COMPONENTS
from synfiqa.schemas.recipe import PLUGINS, Recipe, recipe_fields, shot_fields


def check_factors(factors: Sequence[Factor]) -> None:
    """Raise UserError for a row that contradicts the recipe, itself or another row."""
    paths = {path for path, _ in (*recipe_fields(), *shot_fields())}
    parts = paths | set(Recipe.model_fields)
    for row in factors:
        if row.field not in parts and not row.field.startswith(f"{PLUGINS}."):
            raise UserError(f"factor row {row.field}: a recipe has no such field; add it to schemas/recipe.py")
        if row.range and not row.range[0] <= _number(row) <= row.range[1]:
            low, high = row.range
            raise UserError(
                f"factor row {row.field}: the neutral value {row.neutral} lies outside of its range {low:g} to "
                f"{high:g}; correct one of them"
            )
        naming = [("row", row.ofiq), *((f"severity {severity.name}", severity.ofiq) for severity in row.severities)]
        for where, components in naming:
            if unknown := [name for name in components if name not in COMPONENTS]:
                raise UserError(
                    f"factor row {row.field}: the {where} names {unknown[0]}, which is no component "
                    "of OFIQ; choose one of schemas/factors/ofiq_components.py"
                )
        for ladder in (*row.ladders, *row.bundled):
            _check_levels(row, ladder)
    faults = [(row, row.fault) for row in factors if row.fault]
    _unique("field", ((row, row.field) for row in factors))
    _unique("severity", ((row, severity.name) for row in factors for severity in row.severities))
    for use in ("ladders", "bundled"):
        _unique("ladder", ((row, ladder.name) for row in factors for ladder in getattr(row, use)))
        _unique("place of a ladder", ((row, str(ladder.place)) for row in factors for ladder in getattr(row, use)))
    for key in ("rate", "interval", "stream"):
        _unique(f"{key} of a fault", ((row, getattr(fault, key)) for row, fault in faults))
    _unique("subject of captions", ((row, row.caption.subject) for row in factors if row.caption))


def check_operators(factors: Iterable[Factor], operators: Mapping[str, object]) -> None:
    """Raise UserError for a row that acts on aligner, crop or file and has no operator, and for one without row."""
    needed = {row.field for row in factors if row.where != "render"}
    for name in sorted(needed - operators.keys()):
        raise UserError(f"factor row {name}: it has no operator; add one to OPERATORS of actors/degradation")
    for name in sorted(operators.keys() - needed):
        raise UserError(f"the operator {name} has no factor row after rendering; add one to schemas/factors")


def _number(row: Factor) -> float:
    if isinstance(row.neutral, str):
        raise UserError(
            f"factor row {row.field}: a range needs a number as neutral value, not {row.neutral!r}; correct one of them"
        )
    return row.neutral


def _check_levels(row: Factor, ladder: Ladder) -> None:
    if not ladder.levels:
        raise UserError(f"factor row {row.field}: the ladder {ladder.name} has no levels; give it some")
    if ladder.crop or ladder.put or not row.range:
        return
    low, high = row.range
    for level in ladder.levels:
        if not low <= level <= high:
            raise UserError(
                f"factor row {row.field}: level {level:g} of the ladder {ladder.name} lies outside of the range "
                f"{low:g} to {high:g}; correct one of them"
            )


def _unique(what: str, named: Iterable[tuple[Factor, str]]) -> None:
    pairs = list(named)
    for name, times in Counter(name for _, name in pairs).items():
        if times > 1:
            rows = ", ".join(dict.fromkeys(row.field for row, other in pairs if other == name))
            raise UserError(f"factor rows {rows}: {what} {name} is used {times} times; rename all but one")
