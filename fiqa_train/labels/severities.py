"""Severity of each factor in a sample, a number from 0 up: commanded by the recipe, or measured on the rendering."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from synfiqa.schemas.factors import FACTORS as TABLE
from synfiqa.schemas.factors.codec_strength import CODECS
from synfiqa.schemas.factors.factor import Factor, Severity
from synfiqa.schemas.rows import REGIONS

COVERED = tuple(f"covered_{region}" for region in REGIONS)
"""The eight regions of `occluded_regions` as single columns, and factors of the same names."""
_REGIONS = "occluded_regions"


def severity_names(plugged: Sequence[Factor] = ()) -> tuple[str, ...]:
    """Return the names of the severities: of the table, then of rows of plug-ins."""
    return tuple(severity.name for severity in _severities(plugged))


def severity_columns(plugged: Sequence[Factor] = ()) -> tuple[str, ...]:
    """Return the columns of a sample from which its severities are computed."""
    return (*_plain(plugged), _REGIONS)


Severities = Mapping[str, np.ndarray]
"""Factor -> float32 (N,), 0 for no degradation and increasing with it; all of `severity_names`."""


def flat_columns(samples: pa.Table, plugged: Sequence[Factor] = ()) -> dict[str, np.ndarray]:
    """Return the columns of sample rows, regions as single ones, as float32 (N,), NaN for null; codecs by number."""
    columns = {name: samples[name] for name in _plain(plugged)}
    columns |= {name: pc.struct_field(samples[_REGIONS], region) for name, region in zip(COVERED, REGIONS, strict=True)}
    return {name: _numbers(column).to_numpy().astype(np.float32) for name, column in columns.items()}


def severities(columns: Mapping[str, Any], plugged: Sequence[Factor] = ()) -> dict[str, np.ndarray]:
    """Return the severity of each of `severity_names` in N samples, float32 (N,), from their `flat_columns`.

    Angles in degrees, factors and gains as logarithms, lengths and noise as in the recipe, strengths and shares 0..1. A
    null has severity 0, such as the covered share of a region that is turned away.
    """
    one = {name: np.asarray(columns[name], np.float32) for name in (*_plain(plugged), *COVERED)}
    found = {severity.name: severity.of(*(one[name] for name in severity.columns)) for severity in _severities(plugged)}
    # fmax of a number and NaN is the number.
    return {name: np.fmax(values, np.float32(0)) for name, values in found.items()}


def _numbers(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_string(column.type):
        column = pc.index_in(column, pa.array(CODECS))
    return column.cast(pa.float32())


def _severities(plugged: Sequence[Factor]) -> list[Severity]:
    return [severity for row in (*TABLE, *plugged) for severity in row.severities]


def _plain(plugged: Sequence[Factor]) -> tuple[str, ...]:
    read = (column for severity in _severities(plugged) for column in severity.columns)
    return tuple(dict.fromkeys(column for column in read if column not in COVERED))


FACTORS = severity_names()
"""Names of the severities of the table."""
COLUMNS = severity_columns()
"""Columns of a sample from which the severities of the table are computed."""
FLAT_COLUMNS = (*COLUMNS[:-1], *COVERED)
"""`COLUMNS` with the regions as single columns."""
