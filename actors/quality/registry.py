"""The quality scorers that a config or a command can name, one row each. Imports none of their code."""

from collections.abc import Iterable
from dataclasses import dataclass

from synfiqa.schemas.errors import UserError
from synfiqa.schemas.plugins import SCORERS as GROUP
from synfiqa.schemas.plugins import find, installed


@dataclass(frozen=True)
class ScorerRow:
    """How a scorer comes about: `factory` is `module:name` of a function of (name, ScorerSettings).

    Without a factory the caller supplies it, and `supplied_by` states from what. `needs` is what the embedder must be
    where not every torch network will do. `portraits` stands for a scorer that takes portraits and refuses crops.
    """

    factory: str = ""
    supplied_by: str = ""
    needs: str = ""
    portraits: bool = False


SCORERS: dict[str, ScorerRow] = {
    "model": ScorerRow(supplied_by="the model of a run"),
    "label": ScorerRow(supplied_by="the labels of a run, in evaluate.scorers"),
    "sharpness": ScorerRow("synfiqa.actors.quality.factories:stored"),
    "random": ScorerRow("synfiqa.actors.quality.factories:seeded"),
    "norm": ScorerRow("synfiqa.actors.quality.factories:embedding_norm"),
    "mirror": ScorerRow("synfiqa.actors.quality.factories:mirror_cosine"),
    "detector": ScorerRow("synfiqa.actors.quality.factories:stored"),
    "bundled-quality": ScorerRow("synfiqa.actors.quality.factories:stored"),
    "bundled-dsl": ScorerRow("synfiqa.actors.quality.factories:stored", portraits=True),
    "froq": ScorerRow("synfiqa.actors.quality.factories:stored"),
    **dict.fromkeys(
        ("ser-fiq", "grafiqs", *(f"grafiqs-stage{stage}" for stage in range(1, 5)), "perturbation"),
        ScorerRow("synfiqa.actors.quality.factories:by_embedder"),
    ),
    **dict.fromkeys(
        ("vitnt", "attn"), ScorerRow("synfiqa.actors.quality.factories:by_embedder", needs="a vision transformer")
    ),
    **dict.fromkeys(
        (
            *("iso-luminance", "iso-contrast", "iso-under-exposure", "iso-over-exposure"),
            *("iso-dynamic-range", "iso-natural-colour"),
        ),
        ScorerRow("synfiqa.actors.quality.factories:stored"),
    ),
}
"""Scorers by name."""


STORED = ScorerRow("synfiqa.actors.quality.factories:stored")
"""Of the quality models of plug-ins and of a user's catalogue, and of calibration files of FROQ."""

FROQ_SUFFIX = ".froq.json"
"""Ending of a scorer's name that is the path of a calibration of FROQ."""


def standalone() -> list[str]:
    """Return the names of scorers that need no run, those of plug-ins at the end."""
    return [*(name for name, row in SCORERS.items() if row.factory), *(plugin.name for plugin in installed(GROUP))]


def require_known(names: Iterable[str], where: str, catalogue: str = "") -> None:
    """Raise UserError for a name that is no row, plug-in, FROQ file or quality model of the catalogue (a path).

    `where` is the key or option that holds the name. UserError also for a plug-in that has the name of a row.
    """
    for name in names:
        if name in SCORERS:
            if plugin := find(GROUP, name):
                raise UserError(f"{where}: '{name}' is a scorer of synfiqa and the {plugin}: uninstall the package")
        elif (
            not name.endswith(FROQ_SUFFIX)
            and find(GROUP, name) is None
            and name not in (own := _quality_models(catalogue))
        ):
            raise UserError(
                f"{where}: there is no scorer '{name}'; choose among {', '.join(dict.fromkeys([*SCORERS, *own]))}, or "
                "install its package"
            )


def require_of_image(name: str, where: str, catalogue: str = "") -> None:
    """Raise UserError for a scorer that is unknown, or whose score depends on more than an aligned crop."""
    require_known([name], where, catalogue)
    row = SCORERS.get(name)
    if row is not None and (not row.factory or name == "random"):
        raise UserError(f"{where}: '{name}' depends on more than the image: choose another scorer")
    if row is not None and row.portraits:
        raise UserError(f"{where}: '{name}' scores portraits, not aligned crops: choose another scorer")


def _quality_models(catalogue: str) -> list[str]:
    if not catalogue:
        return []
    from synfiqa.actors.model_store.catalogue import Catalogue

    return [model.name for model in Catalogue.load(catalogue) if model.card.role == "quality"]
