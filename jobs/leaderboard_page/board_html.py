"""The leaderboard as one HTML page with everything embedded and no script."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from synfiqa.jobs.leaderboard_page.cells import MODES, Table, differences_text, setting_text, tables_of
from synfiqa.jobs.leaderboard_page.comparison_parts import (
    COST_HEADS,
    Cell,
    beaten_sentences,
    correlation_rows,
    cost_rows,
    costs_note,
    simple_wins,
)
from synfiqa.jobs.report_page.drawing.evaluation_drawings import edc_curves
from synfiqa.schemas.evaluation import JUDGE, NetworkComparison
from synfiqa.schemas.leaderboard_result import LeaderboardResult, SetFigures

_ROLES = {"model": "accent", "label": "series-2", "random": "muted", JUDGE: "ink"}
_PALETTE = ("accent", *(f"series-{number}" for number in range(1, 9)), "ink")
FAINT = "line"
"""Colour of the curves of a large table that are not its best rows."""
COLOURED, BEST = 10, 5
"""Rows up to which every curve has a colour, and the best rows of a larger table that have one."""
OPEN_LINES = 40
"""Paired differences of a set up to which they are open."""


@dataclass(frozen=True)
class Judged:
    """One set under one judge: its table, and the curves of each mode and FMR with the colours of the scorers."""

    table: Table
    plots: list[tuple[str, Markup]]
    legend: list[tuple[str, str]]


@dataclass(frozen=True)
class SetPart:
    """All of one set; `differences` are a setting (judge, mode, FMR) and its sentences, `correlation` has rows."""

    anchor: str
    figures: SetFigures
    judged: list[Judged]
    differences: list[tuple[str, list[str]]]
    correlation: list[tuple[str, list[Cell]]]

    @property
    def folded(self) -> bool:
        """Return whether the differences are too many to be open."""
        return sum(len(lines) for _, lines in self.differences) > OPEN_LINES


def html(found: LeaderboardResult) -> str:
    """Return the page."""
    folder = Path(__file__).parent
    # Names in the data are text and stay text: everything but our own drawings is escaped.
    environment = Environment(
        loader=FileSystemLoader([folder, folder.parent / "report_page"]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    parts = [_part(found, figures, f"set-{number}") for number, figures in enumerate(found.sets)]
    return environment.get_template("leaderboard.html.j2").render(
        found=found,
        parts=parts,
        modes=MODES,
        beaten=beaten_sentences(found),
        wins=simple_wins(found),
        costs=cost_rows(found),
        cost_heads=COST_HEADS,
        costs_note=costs_note(found) if found.costs else "",
    )


def _part(found: LeaderboardResult, figures: SetFigures, anchor: str) -> SetPart:
    judges = list(dict.fromkeys(result.embedder for result in figures.results))
    judged = []
    for number, (judge, table) in enumerate(zip(judges, tables_of(found, figures), strict=True)):
        results = [result for result in figures.results if result.embedder == judge]
        roles = colours_of([row[0] for row in table.rows])
        plots = [
            (setting_text(result), _curves(result, roles, f"{anchor}-{number}-{at}"))
            for at, result in enumerate(results)
        ]
        legend = [(name, role) for name, role in roles.items() if role != FAINT]
        judged.append(Judged(table, plots, legend + ([("others", FAINT)] if len(legend) < len(roles) else [])))
    differences = [
        (f"{result.embedder}, {result.mode}, FMR {result.fmr:g}", differences_text(result))
        for result in figures.results
        if result.differences
    ]
    agreement = figures.correlation
    rows = correlation_rows(agreement) if agreement and len(agreement.scorers) > 1 else []
    return SetPart(anchor, figures, judged, differences, rows)


def colours_of(names: list[str]) -> dict[str, str]:
    """Return a colour of its own for each scorer, names in the order of the table.

    Beyond COLOURED rows the BEST without a colour of `_ROLES` have one, and all others are FAINT.
    """
    fixed = {name: _ROLES[name] for name in names if name in _ROLES}
    free = [role for role in _PALETTE if role not in fixed.values()][: BEST if len(names) > COLOURED else COLOURED]
    others = [name for name in names if name not in fixed]
    own = {name: free[at] if at < len(free) else FAINT for at, name in enumerate(others)}
    return {name: fixed.get(name) or own[name] for name in names}


def _curves(result: NetworkComparison, roles: dict[str, str], name: str) -> Markup:
    curves = {
        method: (roles[method], own.discard, np.array(own.fnmr, float))
        for method, own in result.methods.items()
        if method in roles
    }
    return edc_curves(curves, result.discard_limit, result.mode == "iso", name)
