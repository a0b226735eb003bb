"""The quality scorers that a config or a command can name, one row each. Imports none of their code."""

from collections.abc import Iterable
from dataclasses import dataclass

from synfiqa.schemas.errors import UserError


@dataclass(frozen=True)
class ScorerRow:
    """How a scorer comes about: `factory` is `module:name` of a function of (name, ScorerSettings).

    Without a factory the caller supplies it, and `supplied_by` states from what.
    """

    factory: str = ""
    supplied_by: str = ""


SCORERS: dict[str, ScorerRow] = {
    "model": ScorerRow(supplied_by="the model of a run"),
    "label": ScorerRow(supplied_by="the labels of a run, in evaluate.scorers"),
    "sharpness": ScorerRow("synfiqa.actors.quality.factories:stored"),
    "random": ScorerRow("synfiqa.actors.quality.factories:seeded"),
    "norm": ScorerRow("synfiqa.actors.quality.factories:embedding_norm"),
    "mirror": ScorerRow("synfiqa.actors.quality.factories:mirror_cosine"),
    "bundled-quality": ScorerRow("synfiqa.actors.quality.factories:stored"),
}
"""Scorers by name."""


def standalone() -> list[str]:
    """Return the names of scorers that need no run."""
    return [name for name, row in SCORERS.items() if row.factory]


def require_known(names: Iterable[str], where: str) -> None:
    """Raise UserError for a name that has no row; `where` is the key or option that holds it."""
    if unknown := [name for name in names if name not in SCORERS]:
        raise UserError(f"{where}: there is no scorer '{unknown[0]}'; choose among {', '.join(SCORERS)}")
