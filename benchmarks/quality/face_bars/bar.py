"""A bar: one measured value with its limit, and the table of many."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from statistics import median
from typing import Any, Literal

Sense = Literal["<=", ">="]


@dataclass(frozen=True)
class Bar:
    """One line of the table: `value` in `unit`, compared with `limit`; for information alone without one.

    `interval` is the 95 % interval of the value where there is one, `note` what it was measured on. A NaN is a value
    that could not be measured; it does not meet its limit.
    """

    subject: str
    name: str
    value: float
    limit: float | None = None
    sense: Sense = "<="
    unit: str = ""
    interval: tuple[float, float] | None = None
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the value meets the limit; None without a limit."""
        if self.limit is None:
            return None
        if math.isnan(self.value):
            return False
        return self.value <= self.limit if self.sense == "<=" else self.value >= self.limit

    def line(self) -> str:
        """Return the line of the table."""
        limit = "" if self.limit is None else f"{self.sense} {_number(self.limit)}"
        verdict = {None: "", True: "met", False: "NOT MET"}[self.met]
        shown = f"{_number(self.value)} {self.unit}".strip()
        remark = f"{_bracket(self.interval)} {self.note}".strip()
        return f"{self.name:<52} {shown:>14} {limit:>10}  {verdict:<7}  {remark}".rstrip()


def table(bars: Sequence[Bar]) -> str:
    """Return the bars as text, a heading for each subject, and a last line that counts them."""
    lines: list[str] = []
    for bar in bars:
        heading = f"-- {bar.subject} "
        if heading not in lines:
            lines.append(heading)
        lines.append(bar.line())
    held = [bar for bar in bars if bar.met is not None]
    return "\n".join([*lines, f"{sum(bool(bar.met) for bar in held)} of {len(held)} bars met"])


def to_json(bars: Sequence[Bar], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document of `--json`: the settings, and every bar with its verdict; NaN becomes null."""
    rows = [{**asdict(bar), "value": None if math.isnan(bar.value) else bar.value, "met": bar.met} for bar in bars]
    return {"settings": dict(settings), "bars": rows}


def medians(per_run: Sequence[Sequence[Bar]]) -> list[Bar]:
    """Return the bars of several runs as one list: medians, each run's value and interval in the note.

    One run is returned unchanged. A bar that is missing in some run is NaN, since a median of fewer runs is not
    comparable.
    """
    if len(per_run) == 1:
        return list(per_run[0])
    tables = [{(bar.subject, bar.name): bar for bar in bars} for bars in per_run]
    keys = dict.fromkeys(key for found in tables for key in found)
    merged = []
    for key in keys:
        values = [found[key].value if key in found else math.nan for found in tables]
        some = next(found[key] for found in tables if key in found)
        middle = math.nan if any(map(math.isnan, values)) else median(values)
        intervals = [found[key].interval if key in found else None for found in tables]
        each = (f"{_number(value)} {_bracket(own)}".strip() for value, own in zip(values, intervals, strict=True))
        note = f"median of {', '.join(each)}"
        merged.append(replace(some, value=float(middle), interval=None, note=note))
    return merged


def _bracket(interval: tuple[float, float] | None) -> str:
    return "" if interval is None else f"[{interval[0]:.3f}, {interval[1]:.3f}]"


def _number(value: float) -> str:
    if math.isnan(value):
        return "no value"
    if value == 0 or (abs(value) >= 1 and float(value).is_integer()):
        return f"{value:.0f}"
    return f"{value:.1e}" if abs(value) < 1e-3 else f"{value:.4g}"
