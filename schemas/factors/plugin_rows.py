"""Factors of plug-ins: a row of the table with its operator, from an installed package that a config names."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache

import numpy as np

from synfiqa.schemas.errors import UserError
from synfiqa.schemas.factors import FACTORS
from synfiqa.schemas.factors.camera_rows import CAMERA, CAMERA_FACTORS
from synfiqa.schemas.factors.factor import Factor
from synfiqa.schemas.factors.rules import check_factors
from synfiqa.schemas.plugins import FACTORS as GROUP
from synfiqa.schemas.plugins import Plugin, find, installed, load_plugin
from synfiqa.schemas.recipe import PLUGINS
from synfiqa.schemas.seeds import generator

Operator = Callable[[np.ndarray, float, np.random.Generator], np.ndarray]

_SIDE = 112


@dataclass(frozen=True)
class FactorPlugin:
    """A row of the table of factors and its operator: the object of an entry point of the group `synfiqa.factors`.

    The row's `field` is `plugins.NAME`, NAME being that of the entry point; its column is `factor_NAME`; it acts on the
    crop (`where="crop"`) and has a range. `operator(image, value, rng)` returns the uint8 RGB crop (112, 112, 3) with
    the factor at this value, the same for equal generators; it is called after sensor noise, before compression, and
    never at the neutral value. Strengths are drawn log-uniformly from the interval in the config.
    """

    row: Factor
    operator: Operator


@cache
def plugged(name: str) -> tuple[Plugin, FactorPlugin]:
    """Return the factor plug-in of that name; UserError where none is installed or its row is not right."""
    plugin = find(GROUP, name)
    if plugin is None:
        known = ", ".join(entry.name for entry in installed(GROUP)) or "none"
        raise UserError(
            f"generate.factors names '{name}', which no installed package declares as {GROUP} (installed: {known}): "
            "install its package on every node, or take the name out"
        )
    found = load_plugin(plugin, FactorPlugin)
    check_plugged(plugin, found)
    return plugin, found


def plugged_rows(names: Iterable[str]) -> tuple[Factor, ...]:
    """Return the rows of factor plug-ins in order of names; for `CAMERA` those of the camera, after them."""
    names = sorted(names)
    rows = tuple(plugged(name)[1].row for name in names if name != CAMERA)
    rows = (*rows, *(CAMERA_FACTORS if CAMERA in names else ()))
    check_factors((*FACTORS, *rows))
    return rows


def rows_here(names: Iterable[str]) -> tuple[tuple[Factor, ...], list[str]]:
    """Return the rows of `plugged_rows` that are known here, and names of plug-ins that are not installed."""
    names = sorted(names)
    absent = [name for name in names if name != CAMERA and not find(GROUP, name)]
    return plugged_rows(name for name in names if name not in absent), absent


def check_plugged(plugin: Plugin, found: FactorPlugin) -> None:
    """Raise UserError naming package, row and remedy for a row or operator that cannot be used."""
    row = found.row
    remedy = f"correct it in {plugin.distribution}, or take '{plugin.name}' out of generate.factors"
    if row.field != f"{PLUGINS}.{plugin.name}":
        raise UserError(f"the {plugin}: its row has the field {row.field}, not {PLUGINS}.{plugin.name}; {remedy}")
    if not callable(found.operator):
        raise UserError(f"the {plugin}: the row {row.field} has no operator; {remedy}")
    if row.where != "crop" or row.range is None:
        raise UserError(f"the {plugin}: the row {row.field} must act on the crop and have a range; {remedy}")
    if row.fault or row.caption or row.ladders or row.bundled or row.learnable:
        raise UserError(
            f"the {plugin}: the row {row.field} has a fault, captions or ladders, which only rows of the table can "
            f"have; {remedy}"
        )
    try:
        check_factors((*FACTORS, row))
    except UserError as error:
        raise UserError(f"the {plugin}: {error}") from None
    for severity in row.severities:
        if foreign := [column for column in severity.columns if column != row.column]:
            raise UserError(
                f"the {plugin}: the severity {severity.name} reads {foreign[0]}, but the row has the column "
                f"{row.column} alone; {remedy}"
            )
    _check_operator(plugin, found, remedy)


def _check_operator(plugin: Plugin, found: FactorPlugin, remedy: str) -> None:
    """Try the operator at both ends of its range, twice each: same shape and type, and equal pixels."""
    of = f"the {plugin}: the operator of {found.row.field}"
    image = np.random.default_rng(0).integers(0, 256, (_SIDE, _SIDE, 3), np.uint8)
    for value in found.row.range or ():
        if value == found.row.neutral:
            continue
        try:
            first, second = (found.operator(image.copy(), value, generator(0)) for _ in range(2))
        # Foreign code may raise anything.
        except Exception as error:
            raise UserError(f"{of} fails at {value:g} ({type(error).__name__}: {error}); {remedy}") from error
        if not isinstance(first, np.ndarray) or first.shape != image.shape or first.dtype != np.uint8:
            raise UserError(f"{of} must return uint8 (112, 112, 3) at {value:g}; {remedy}")
        if not np.array_equal(first, second):
            raise UserError(
                f"{of} gives different pixels for equal random generators; "
                f"draw from the generator that it is given: {remedy}"
            )
