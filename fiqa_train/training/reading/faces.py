"""Pieces of all sources as faces: read with their classes, and decoded with errors that name the image."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from synfiqa.fiqa_train.training.reading.classes import Classes
from synfiqa.fiqa_train.training.reading.decode import Channels, decode_face
from synfiqa.fiqa_train.training.reading.sources.source import EncodedRows, Piece, Source, first_repeated
from synfiqa.schemas.errors import JobFailed


@dataclass(frozen=True)
class ReadPiece:
    """Faces of a piece with their source and their classes, int64 (N,)."""

    source: Source
    rows: EncodedRows
    classes: np.ndarray

    def decoded(self, row: int, channels: Channels) -> np.ndarray:
        """Return a face, uint8 (112, 112) or RGB (112, 112, 3); the error of its source when it cannot be used."""
        try:
            return decode_face(self.rows.encoded[row], channels)
        except ValueError as error:
            raise self.source.fault(self.rows.names[row], str(error)) from error


class Pieces:
    """All pieces of all sources, numbered in order. `rows[p]` counts the faces of piece p."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self.classes = Classes(sources)
        self._sources = tuple(sources)
        self._pieces: list[tuple[int, Piece]] = [
            (number, piece) for number, source in enumerate(sources) for piece in source.pieces
        ]
        self.rows = np.array([piece.rows for _, piece in self._pieces], np.int64)
        self.counts = [len(source.pieces) for source in sources]
        self.weights = [source.weight for source in sources]

    def __len__(self) -> int:
        """Return the number of pieces."""
        return len(self._pieces)

    def read(self, number: int) -> ReadPiece:
        """Read a piece; JobFailed when it has another number of faces than listed, or a name stands twice."""
        place, piece = self._pieces[number]
        source = self._sources[place]
        rows = source.read(piece)
        if len(rows) != piece.rows:
            raise JobFailed(
                f"training source '{source.name}' has {len(rows)} of {piece.rows} images in a part; "
                "it has changed since the training began, start again"
            )
        if (twice := first_repeated(rows.names)) is not None:
            raise source.fault(twice, "stands twice")
        return ReadPiece(source, rows, self.classes.numbers(place, rows.identity))
