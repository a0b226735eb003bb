"""The page `docs/factors.md`, generated from the table: `python -m synfiqa.schemas.factors.markdown`."""

import sys
from collections.abc import Iterable, Sequence

from synfiqa.schemas.factors import FACTORS
from synfiqa.schemas.factors.camera_rows import CAMERA_FACTORS
from synfiqa.schemas.factors.factor import Caption, Factor, Ladder
from synfiqa.schemas.factors.photograph_ladders import WORN_LADDERS

_INTRODUCTION = """# Degradation factors

Generated from `schemas/factors/`: one row there is one factor, read by the sampler of recipes, captions, severities of
labels, ladders of the rendered benchmark and of the bundled networks, report and this page.

## What they are

The quality component is that of ISO/IEC 29794-5 which the factor lowers, where there is one.
"""
_READERS = """
## How they are used

Severities are those of `label.spatial: costs`; a fault is drawn by these keys of `generate.degraded_distribution`; the
ladder is that of the rendered benchmark, in the unit of the factor unless it acts on the aligned crop; captions name
these classes, numbers below a limit that of the limit.
"""


_CAMERA = """
## Factors of the profile camera

Generated from `schemas/factors/camera_rows.py`: columns that only runs with `generate.profile: camera` have. Lengths
are in e, the eye distance of a frontal face of that size;
[how a photograph is taken](faces.md#a-photograph-by-a-camera).
"""

_LADDERS = """
Ladders are those of photographs, from no effect on: [what each level looks like](faces.md#every-factor-of-the-camera),
[which label it gets](results/faces.md#labels-along-ladders-of-photographs).
"""


def factor_page() -> str:
    """Return the page."""
    titles = ("factor", "field of the recipe", "unit", "without effect", "range", "acts on", "quality component")
    described = _table(titles, map(_described, FACTORS))
    read = _table(("field of the recipe", "severities", "drawn by", "ladder", "captions"), map(_read, FACTORS))
    return f"{_INTRODUCTION}\n{described}{_READERS}\n{read}{_CAMERA}\n{_camera(titles)}"


def _camera(titles: Sequence[str]) -> str:
    described = _table(titles, map(_described, CAMERA_FACTORS))
    read = _table(("field of the recipe", "severities", "components of OFIQ", "ladder"), map(_judged, CAMERA_FACTORS))
    kinds = ", ".join(ladder.name for ladder in WORN_LADDERS)
    levels = ", ".join(f"{level:g}" for level in WORN_LADDERS[0].levels)
    worn = f"Things that are worn have ladders of photographs too, by coverage, 0 being none: {kinds} {levels}."
    return f"{described}{_LADDERS}\n{read}\n{worn}\n"


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [titles, ["---"] * len(titles), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _described(row: Factor) -> Sequence[str]:
    neutral = f"{row.neutral:g}" if not isinstance(row.neutral, str) else row.neutral
    limits = f"{row.range[0]:g} to {row.range[1]:g}" if row.range else ""
    return row.title, f"`{row.field}`", row.unit, neutral, limits, row.where, row.iso


def _read(row: Factor) -> Sequence[str]:
    drawn = f"`{row.fault.rate}`, `{row.fault.interval}`" if row.fault else ""
    return (
        f"`{row.field}`",
        ", ".join(severity.name for severity in row.severities),
        drawn,
        "; ".join(_levels(ladder) for ladder in row.ladders),
        _classes(row.caption) if row.caption else "",
    )


def _judged(row: Factor) -> Sequence[str]:
    return (
        f"`{row.field}`",
        ", ".join(severity.name for severity in row.severities),
        ", ".join(row.components),
        "; ".join(map(_levels, row.ladders)),
    )


def _classes(caption: Caption) -> str:
    limits = dict(caption.steps)
    return ", ".join(f"{name} below {limits[name]:g}" if name in limits else name for name in caption.words)


def _levels(ladder: Ladder) -> str:
    return f"{ladder.name} {', '.join(f'{level:g}' for level in ladder.levels)}"


if __name__ == "__main__":
    sys.stdout.write(factor_page())
