"""Checks that a value is JSON-serialisable (YAML also has dates and NaN)."""

import math
from typing import Any


def check_json(value: Any, place: str) -> None:
    """Raise ValueError naming the first value that is no text, finite number, boolean, null, list or mapping.

    `place` is the name of the value itself; parts are named below it, as in `arguments.layers.0`.
    """
    try:
        _check(value, place)
    except RecursionError:
        raise ValueError(f"{place} contains itself, or is nested too deeply: write it out") from None


def _check(value: Any, place: str) -> None:
    if isinstance(value, dict):
        for key, inner in value.items():
            if not isinstance(key, str):
                raise ValueError(f"{place} has the key {key!r}, which is no text: put it in quotes")
            _check(inner, f"{place}.{key}")
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            _check(inner, f"{place}.{index}")
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{place} is {value}: a number must be finite")
    elif not isinstance(value, str | int | float | bool | None):
        raise ValueError(
            f"{place} is a {type(value).__name__}, which JSON does not have: put it in quotes if it is text"
        )
