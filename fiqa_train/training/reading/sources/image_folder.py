"""Folders of identities: one subfolder a person."""

from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from synfiqa.cluster.storage.storage import Storage
from synfiqa.fiqa_train.datasets.photo_files import is_image
from synfiqa.fiqa_train.training.reading.sources.outside_scores import outside_scores
from synfiqa.fiqa_train.training.reading.sources.source import EncodedRows, Piece, StoredPieces, image_fault
from synfiqa.schemas.errors import UserError

PIECE_ROWS = 256
"""Images of a piece at most."""


@dataclass(frozen=True)
class ImageFolder(StoredPieces):
    """Images `<person>/<file>` of a folder; a piece has every n-th of them, so that it is of many people."""

    @classmethod
    def of(cls, name: str, url: str, weight: float = 1.0, scores: str = "") -> "ImageFolder":
        """List the images of a folder; UserError when it has none, or images outside of a person's folder."""
        storage = Storage(url)
        paths = [path for path in storage.list() if is_image(Path(path))]
        if not paths:
            raise UserError(f"training source '{name}': {storage.uri()} holds no image; give one folder a person")
        for path in paths:
            if len(PurePosixPath(path).parts) != 2:
                raise UserError(f"training source '{name}': {path} does not lie in the folder of a person; move it")
        quality = outside_scores(name, scores, paths) if scores else np.full(len(paths), np.nan, np.float32)
        identities: dict[Hashable, int] = {}
        for path in paths:
            person = path.partition("/")[0]
            identities[person] = identities.get(person, 0) + 1
        count = -(-len(paths) // PIECE_ROWS)
        parts = [(paths[first::count], quality[first::count]) for first in range(count)]
        return cls(name, storage, [Piece(len(part[0]), part) for part in parts], identities, weight)

    def read(self, piece: Piece) -> EncodedRows:
        """Return the images of a piece; UserError for a file that is gone."""
        paths, quality = piece.place
        try:
            encoded = self.storage.read_many(paths)
        except FileNotFoundError as error:
            raise UserError(f"training source '{self.name}': an image is gone ({error}); restore it") from error
        return EncodedRows(encoded, quality, [path.partition("/")[0] for path in paths], paths)

    def fault(self, name: str, reason: str) -> Exception:
        """Return the error for an image that cannot be used."""
        return image_fault(self.name, self.storage.uri(name), reason)
