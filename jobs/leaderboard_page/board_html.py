"""The leaderboard as one HTML page with everything embedded and no script."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from synfiqa.jobs.leaderboard_page.cells import MODES, Table, differences_text, setting_text, tables_of
from synfiqa.jobs.report_page.drawing.evaluation_drawings import edc_curves
from synfiqa.schemas.evaluation import NetworkComparison
from synfiqa.schemas.leaderboard_result import LeaderboardResult, SetFigures

_ROLES = {"model": "accent", "label": "series-2", "random": "muted"}
_OTHERS = ("series-1", "series-3", "series-4", "series-5")


@dataclass(frozen=True)
class Judged:
    """One set under one judge: its table, and the curves of each mode and FMR with the colours of the scorers."""

    table: Table
    plots: list[tuple[str, Markup]]
    legend: list[tuple[str, str]]


@dataclass(frozen=True)
class SetPart:
    """All of one set; `differences` are a setting (judge, mode, FMR) and its sentences."""

    anchor: str
    figures: SetFigures
    judged: list[Judged]
    differences: list[tuple[str, list[str]]]


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
    return environment.get_template("leaderboard.html.j2").render(found=found, parts=parts, modes=MODES)


def _part(found: LeaderboardResult, figures: SetFigures, anchor: str) -> SetPart:
    judges = list(dict.fromkeys(result.embedder for result in figures.results))
    judged = []
    for number, (judge, table) in enumerate(zip(judges, tables_of(found, figures), strict=True)):
        results = [result for result in figures.results if result.embedder == judge]
        roles = _roles([row[0] for row in table.rows])
        plots = [
            (setting_text(result), _curves(result, roles, f"{anchor}-{number}-{at}"))
            for at, result in enumerate(results)
        ]
        judged.append(Judged(table, plots, list(roles.items())))
    differences = [
        (f"{result.embedder}, {result.mode}, FMR {result.fmr:g}", differences_text(result))
        for result in figures.results
        if result.differences
    ]
    return SetPart(anchor, figures, judged, differences)


def _roles(names: list[str]) -> dict[str, str]:
    """Return a colour for each scorer; beyond as many as there are colours they repeat."""
    others = [name for name in names if name not in _ROLES]
    own = {name: _OTHERS[at % len(_OTHERS)] for at, name in enumerate(others)}
    return {name: _ROLES.get(name) or own[name] for name in names}


def _curves(result: NetworkComparison, roles: dict[str, str], name: str) -> Markup:
    curves = {
        method: (roles[method], own.discard, np.array(own.fnmr, float))
        for method, own in result.methods.items()
        if method in roles
    }
    return edc_curves(curves, result.discard_limit, result.mode == "iso", name)
