"""Severity of each factor in a sample, a number from 0 up: commanded by the recipe, or measured on the rendering."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from synfiqa.schemas.factors import FACTORS as TABLE
from synfiqa.schemas.rows import REGIONS

COVERED = tuple(f"covered_{region}" for region in REGIONS)
"""The eight regions of `occluded_regions` as single columns, and factors of the same names."""
_REGIONS = "occluded_regions"
_SEVERITIES = [severity for row in TABLE for severity in row.severities]
_PLAIN = tuple(
    dict.fromkeys(column for severity in _SEVERITIES for column in severity.columns if column not in COVERED)
)

COLUMNS = (*_PLAIN, _REGIONS)
"""Columns of a sample from which its severities are computed."""
FLAT_COLUMNS = (*_PLAIN, *COVERED)
"""`COLUMNS` with the regions as single columns."""

FACTORS = tuple(severity.name for severity in _SEVERITIES)
"""Names of the severities."""

Severities = Mapping[str, np.ndarray]
"""Factor -> float32 (N,), 0 for no degradation and increasing with it; all of `FACTORS`."""


def flat_columns(samples: pa.Table) -> dict[str, np.ndarray]:
    """Return `FLAT_COLUMNS` of sample rows (columns `COLUMNS`) as float32 (N,), NaN for null."""
    columns = {name: samples[name] for name in _PLAIN}
    columns |= {name: pc.struct_field(samples[_REGIONS], region) for name, region in zip(COVERED, REGIONS, strict=True)}
    return {name: column.cast(pa.float32()).to_numpy().astype(np.float32) for name, column in columns.items()}


def severities(columns: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Return the severity of each of `FACTORS` in N samples, float32 (N,), from their `FLAT_COLUMNS`.

    Angles in degrees, factors and gains as logarithms, lengths and noise as in the recipe, strengths and shares 0..1. A
    null has severity 0, such as the covered share of a region that is turned away.
    """
    one = {name: np.asarray(columns[name], np.float32) for name in FLAT_COLUMNS}
    found = {severity.name: severity.of(*(one[name] for name in severity.columns)) for severity in _SEVERITIES}
    # fmax of a number and NaN is the number.
    return {name: np.fmax(values, np.float32(0)) for name, values in found.items()}
