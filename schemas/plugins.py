"""Plug-ins: rows, scorers and embedders that other installed packages declare as entry points.

A plug-in counts only where a config or an option names it. Its distribution and version enter the fingerprint.
"""

from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal

from synfiqa.schemas.errors import UserError

Group = Literal["synfiqa.factors", "synfiqa.scorers", "synfiqa.embedders"]

FACTORS: Group = "synfiqa.factors"
"""Entry points that are a `synfiqa.schemas.factors.plugin_rows.FactorPlugin`."""
SCORERS: Group = "synfiqa.scorers"
"""Entry points that are a `synfiqa.actors.model_store.plugin_models.ModelPlugin` of the role quality."""
EMBEDDERS: Group = "synfiqa.embedders"
"""Entry points that are a `ModelPlugin` of the role embedder."""

PLUGIN_GROUPS: dict[str, Group] = {"embedder": EMBEDDERS, "quality": SCORERS}
"""Groups of models by the role that they play."""


@dataclass(frozen=True)
class Plugin:
    """An entry point of an installed package: group, name, `module:object`, distribution and its version."""

    group: Group
    name: str
    reference: str
    distribution: str
    version: str

    def __str__(self) -> str:
        return f"plug-in '{self.name}' of {self.distribution} {self.version} ({self.reference})"


@cache
def installed(group: Group) -> tuple[Plugin, ...]:
    """Return the plug-ins of a group in order of names; nothing of them is imported."""
    return tuple(sorted((_plugin(group, entry) for entry in entry_points(group=group)), key=lambda found: found.name))


def find(group: Group, name: str) -> Plugin | None:
    """Return the plug-in of that name, None where there is none; UserError where two packages declare it."""
    found = [plugin for plugin in installed(group) if plugin.name == name]
    if len(found) > 1:
        raise UserError(
            f"'{name}' is declared as {group} by {' and by '.join(str(plugin) for plugin in found)}: uninstall one of "
            "the packages"
        )
    return found[0] if found else None


def load_plugin[T](plugin: Plugin, kind: type[T]) -> T:
    """Return the object of a plug-in; UserError where its module cannot be imported or it is of another type."""
    try:
        found = _imported(plugin)
    # A foreign module may raise anything at its import.
    except Exception as error:
        raise UserError(
            f"the {plugin} cannot be imported ({type(error).__name__}: {error}): correct or reinstall "
            f"{plugin.distribution}, or take '{plugin.name}' out of the config"
        ) from error
    if not isinstance(found, kind):
        raise UserError(
            f"the {plugin} is a {type(found).__name__}, not a {kind.__name__}: correct the entry point in the group "
            f"{plugin.group} of {plugin.distribution}"
        )
    return found


@cache
def _imported(plugin: Plugin) -> Any:
    return EntryPoint(plugin.name, plugin.reference, plugin.group).load()


def _plugin(group: Group, entry: EntryPoint) -> Plugin:
    made_by = entry.dist
    named, version = (made_by.name, made_by.version) if made_by else ("an unnamed package", "unknown")
    return Plugin(group, entry.name, entry.value, named, version)
