"""The networks that are judged: those of the package, or of bootstraps with other seeds."""

from pathlib import Path
from typing import Any

from actors.backends import player
from actors.model_store.catalogue import read_bundled
from cluster.errors import UserError


def network(folder: Path, name: str) -> Any:
    """Return the network of that name, ready to run; UserError when the folder does not hold it."""
    card, weights = folder / f"{name}.yaml", folder / f"{name}.safetensors"
    for path in (card, weights):
        if not path.is_file():
            raise UserError(
                f"{path} is missing: name folders that `synfiqa bootstrap --part networks --out FOLDER` has written"
            )
    return player(read_bundled(card))
