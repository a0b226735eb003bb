"""Labels along ladders as Markdown."""

from collections.abc import Sequence

from benchmarks.quality.camera_ladders.rule import LadderFigures, applies, breaks_rule, broken


def label_table(ladders: Sequence[LadderFigures], teacher: str) -> str:
    """Return one row a ladder: worst level, kept shares of the clean label, true accept rates, whether the rule holds.

    The teacher is the judge whose cosines are the labels.
    """
    judges = list(ladders[0].accepted)
    shown = [f"TAR by {judge} (teacher)" if judge == teacher else f"TAR by {judge}" for judge in judges]
    titles = [
        "ladder",
        "worst level",
        "label there",
        "share of the clean label, level by level",
        "found",
        *shown,
        "rule",
    ]
    return "\n".join([_line(titles), "|---" * len(titles) + "|", *(_row(figures, teacher) for figures in ladders)])


def verdict(ladders: Sequence[LadderFigures], judges: Sequence[str]) -> str:
    """Return a sentence a judge on the ladders that break the rule."""
    found = {judge: broken(ladders, judge) for judge in judges}
    return "\n".join(
        f"By {judge} {len(names)} of {len(ladders)} break the rule{': ' + ', '.join(names) if names else ''}."
        for judge, names in found.items()
    )


def _row(figures: LadderFigures, teacher: str) -> str:
    rule = "broken" if breaks_rule(figures, teacher) else "kept" if applies(figures, teacher) else "does not apply"
    rates = [f"{accepted[-1]:.2f}" for accepted in figures.accepted.values()]
    kept = ", ".join(f"{share:.2f}" for share in figures.kept[1:])
    cells = [figures.name, f"{figures.levels[-1]:g}", f"{figures.labels[-1]:.2f}", kept, f"{figures.found[-1]:.2f}"]
    return _line([*cells, *rates, rule])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
