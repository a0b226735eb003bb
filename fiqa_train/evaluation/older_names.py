"""Names of methods in evaluations that earlier versions wrote."""

from typing import Any

RENAMED = {"laplacian": "sharpness"}


def with_present_names(part: Any) -> Any:
    """Return an evaluation of any version, or a part of one, with the methods under their present names."""
    if isinstance(part, list):
        return [with_present_names(entry) for entry in part]
    if not isinstance(part, dict):
        return part
    return {
        RENAMED.get(key, key): RENAMED.get(value, value) if key in ("method", "other") else with_present_names(value)
        for key, value in part.items()
    }
