"""The CSV of OFIQ's sample application: `;` between fields, raw values and scalars of 28 components, -1 for failed.

The header ends with a separator, the rows do not: `Filename;` + 28 names + 28 `NAME.scalar` + `assessment_time_in_ms;`.
"""

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from synfiqa.schemas.errors import UserError
from synfiqa.schemas.factors.ofiq_components import COMPONENTS

FILENAME, TIME, SCALAR = "Filename", "assessment_time_in_ms", ".scalar"
FAILED = -1
"""Raw value and scalar of a component that was not assessed."""
HEADER = ";".join([FILENAME, *COMPONENTS, *(name + SCALAR for name in COMPONENTS), TIME]) + ";"


@dataclass(frozen=True)
class OfiqTable:
    """Image names as they stand in the file, and the scalars 0..100 (N,) by component, NaN where it failed."""

    names: list[str]
    scalars: Mapping[str, np.ndarray]


def is_ofiq(header: str) -> bool:
    """Return whether the first line of a CSV is that of OFIQ."""
    return header.lstrip("\ufeff").startswith(f"{FILENAME};")


def read_ofiq(source: str, text: str) -> OfiqTable:
    """Parse a CSV of OFIQ; `source` names it in errors.

    UserError with the line for a row of another length, and for a scalar that is no number from 0 to 100 and not -1.
    """
    lines = csv.reader(io.StringIO(text.lstrip("\ufeff"), newline=""), delimiter=";")
    head = next(lines)
    places = {name: head.index(name + SCALAR) for name in COMPONENTS if name + SCALAR in head}
    if not places:
        raise UserError(
            f"{source} has no column such as {COMPONENTS[0]}{SCALAR}: give a CSV of OFIQ's sample application"
        )
    wanted = len([name for name in head if name])
    names: list[str] = []
    columns: dict[str, list[float]] = {name: [] for name in places}
    for row in lines:
        if not row:
            continue
        if len(row) not in (wanted, wanted + 1):
            raise UserError(f"{source}, line {lines.line_num}: {len(row)} fields, not {wanted}; run OFIQ again")
        names.append(row[0])
        for name, place in places.items():
            columns[name].append(_scalar(row[place], f"{source}, line {lines.line_num}: {name}{SCALAR}"))
    return OfiqTable(names, {name: np.array(values, np.float64) for name, values in columns.items()})


def ofiq_line(name: str, raw: Mapping[str, float], scalars: Mapping[str, int]) -> str:
    """Return the row of an image, without line end; components that are absent from the mappings have -1."""
    fields = [_number(raw.get(one, FAILED)) for one in COMPONENTS] + [
        str(scalars.get(one, FAILED)) for one in COMPONENTS
    ]
    return ";".join([name, *fields, "0"])


def ofiq_lines(names: Sequence[str], raw: Mapping[str, np.ndarray], scalars: Mapping[str, np.ndarray]) -> Iterator[str]:
    """Yield the row of each image (N,) from values by component, NaN where it was not assessed."""
    for row, name in enumerate(names):
        known = [one for one, values in raw.items() if math.isfinite(values[row])]
        yield ofiq_line(
            name, {one: float(raw[one][row]) for one in known}, {one: int(scalars[one][row]) for one in known}
        )


def _scalar(field: str, place: str) -> float:
    try:
        value = float(field)
    except ValueError:
        raise UserError(f"{place} is '{field}', no number; run OFIQ again") from None
    if value == FAILED:
        return math.nan
    if not 0 <= value <= 100:
        raise UserError(f"{place} is {field}, not 0 to 100 or -1; run OFIQ again")
    return value


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else f"{value:.6f}"
