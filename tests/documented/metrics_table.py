"""The table of metrics in docs/metrics.md, made from the definitions; `--write` writes it."""

from synfiqa.cluster.telemetry.metric_table import DEFINITIONS, LABELS
from tests.documented.commands.parse import ROOT
from tests.documented.page_tables import table, with_table, write_or_compare

PAGE = ROOT / "docs" / "metrics.md"


def metrics_table() -> str:
    """Return a line a metric: exported name, kind, unit, labels, meaning."""
    rows = [
        (f"`{one.exported}`", one.kind, one.unit, ", ".join(one.labels), one.meaning)
        for one in sorted(DEFINITIONS, key=lambda one: one.exported)
    ]
    return table(("metric", "kind", "unit", "labels", "meaning"), rows)


def labels_table() -> str:
    """Return a line a label: meaning and known values."""
    rows = [(f"`{name}`", meaning, ", ".join(values)) for name, (meaning, values) in LABELS.items()]
    return table(("label", "meaning", "values; `other` beyond them"), rows)


def written(page: str) -> str:
    """Return the page with both tables made anew."""
    return with_table(with_table(page, "metrics", metrics_table(), PAGE), "labels", labels_table(), PAGE)


if __name__ == "__main__":
    write_or_compare(PAGE, written, "The tables of docs/metrics.md.", "tests.documented.metrics_table")
