"""What a model reads beside its weights: only files inside the folder that is its source, which the digest covers."""

from pathlib import Path, PurePath
from typing import Any

from pydantic import ValidationError

from synfiqa.actors.model_store.digest import folder_files
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import CardPart, ModelCard

CHECKPOINTS = (".safetensors", ".pth", ".pt", ".bin", ".ckpt")
"""How files with weights are called."""


def side_path(card: ModelCard, source: Path, name: Any, what: str) -> Path:
    """Return the file or folder of that name inside the source folder of a model; `what` is what it is wanted for.

    UserError when the name leads out of the folder, or when nothing lies there that the digest covers.
    """
    if not isinstance(name, str) or not name or PurePath(name).is_absolute() or ".." in PurePath(name).parts:
        raise UserError(
            f"model '{card.name}': {what} is {name!r}, but only what lies in its source folder has a digest: put it "
            f"into {source} and give its name there"
        )
    path = source / name
    if not any(file.is_relative_to(path) for file in folder_files(source)):
        raise UserError(
            f"model '{card.name}': {source} holds no {name} ({what}): put it there, not hidden and no link to a "
            "folder, so that the digest of its source covers it"
        )
    return path


def only_checkpoint(card: ModelCard, folder: Path) -> Path:
    """Return the one file with weights of a folder, whatever it is called; UserError when there is none or a choice."""
    found = [file for file in folder_files(folder) if file.parent == folder and file.suffix in CHECKPOINTS]
    if len(found) != 1:
        names = ", ".join(file.name for file in found) or "none"
        raise UserError(f"model '{card.name}': {folder} must hold one file of weights, not {names}")
    return found[0]


def arguments_of[Arguments: CardPart](card: ModelCard, kind: type[Arguments]) -> Arguments:
    """Return the arguments of the card in their declared form; UserError names what does not fit, and what would."""
    try:
        return kind.model_validate(card.arguments)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise UserError(
            f"model '{card.name}': arguments do not fit {card.architecture} ({wrong}): "
            f"it takes {', '.join(kind.model_fields)}"
        ) from error
