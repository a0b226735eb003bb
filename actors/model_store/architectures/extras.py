"""Optional packages: which extra of synfiqa the architecture of a card needs and this machine lacks."""

from importlib.util import find_spec

from synfiqa.actors.model_store.architectures.table import architecture_of
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import ModelCard


def missing_extra(card: ModelCard) -> str:
    """Return the extra that a card needs and that is not installed here, such as `dlib`; else empty."""
    architecture = architecture_of(card)
    return architecture.extra if any(find_spec(module) is None for module in architecture.modules) else ""


def require_extra(card: ModelCard) -> None:
    """Raise UserError with the line that installs it when a card needs an extra that is not installed here."""
    if extra := missing_extra(card):
        raise UserError(f"model '{card.name}' needs synfiqa[{extra}], which is not installed here: {remedy(extra)}")


def remedy(extra: str) -> str:
    """Return how to install an extra."""
    return f"`uv sync --extra {extra}` in the checkout, or `pip install 'synfiqa[{extra}]'`, on every node"
