"""The leaderboard as Markdown."""

from synfiqa.jobs.leaderboard_page.cells import MODES, differences_text, tables_of
from synfiqa.jobs.leaderboard_page.comparison_parts import (
    COST_HEADS,
    beaten_sentences,
    correlation_rows,
    cost_rows,
    costs_note,
)
from synfiqa.schemas.leaderboard_result import LeaderboardResult, RankCorrelation


def markdown(found: LeaderboardResult) -> str:
    """Return the whole document."""
    lines = ["# Leaderboard", ""]
    if found.quick:
        lines += ["Quick: fewer identities and resamples than in the config; intervals are wider.", ""]
    lines += [f"- **{mode}**: {text}." for mode, text in MODES.items()]
    if beaten := beaten_sentences(found):
        lines += ["", "## Where a simple measure is better", "", *(f"- {sentence}" for sentence in beaten)]
    for figures in found.sets:
        lines += ["", f"## {figures.name}"]
        for table in tables_of(found, figures):
            lines += ["", f"### {table.title}", "", _row(table.heads), _row(["---"] * len(table.heads))]
            for at, row in enumerate(table.rows):
                cells = [
                    f"**{cell}**" if column and table.best[column - 1] == at else cell
                    for column, cell in enumerate(row)
                ]
                lines.append(_row(cells))
            lines += ["", table.note]
        sentences = [
            f"- {result.embedder}, {result.mode}, FMR {result.fmr:g}: {'; '.join(differences_text(result))}"
            for result in figures.results
            if result.differences
        ]
        if sentences:
            lines += ["", "Paired differences on the same pairs and resamples:", "", *sentences]
        lines += [f"- FMR {entry.fmr:g} is left out: {entry.reason}" for entry in figures.skipped]
        if figures.correlation and len(figures.correlation.scorers) > 1:
            lines += _agreement(figures.correlation)
    if found.costs:
        lines += ["", "## Speed", "", costs_note(found), "", _row(COST_HEADS), _row(["---"] * len(COST_HEADS))]
        lines += [_row(row) for row in cost_rows(found)]
    if found.spreads:
        lines += ["", "## Training seeds", "", _row(["models", "set", "judge", "mode, FMR", "mean", "range"])]
        lines.append(_row(["---"] * 6))
        for spread in found.spreads:
            setting = f"{spread.mode}, {spread.fmr:g}"
            between = f"{spread.low:.3f} to {spread.high:.3f}"
            name = f"{spread.group} ({len(spread.members)})"
            lines.append(_row([name, spread.set, spread.judge, setting, f"{spread.mean:.3f}", between]))
    if found.published:
        lines += ["", "## Published, on other sets and recognisers: not to be compared with the rows above", ""]
        lines += [_row(["method", "FMR", "pAUC", "source", "protocol"]), _row(["---"] * 5)]
        for published in found.published:
            fmrs, values = ", ".join(published.pauc), ", ".join(f"{value:.3f}" for value in published.pauc.values())
            lines.append(_row([published.method, fmrs, values, published.source, published.protocol]))
    if found.left_out:
        lines += ["", "## Left out", "", *(f"- {sentence}" for sentence in found.left_out)]
    return "\n".join(lines) + "\n"


def _agreement(correlation: RankCorrelation) -> list[str]:
    names = correlation.scorers
    lines = ["", "Agreement of the scorers (Spearman):", "", _row(["", *names]), _row(["---"] * (len(names) + 1))]
    return lines + [_row([name, *(cell.text for cell in cells)]) for name, cells in correlation_rows(correlation)]


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
