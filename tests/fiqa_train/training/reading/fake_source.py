"""A source in memory whose quality labels number its faces, so that a test sees which face stands where."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from synfiqa.fiqa_train.training.reading.reader import TrainingReader
from synfiqa.fiqa_train.training.reading.sources.source import EncodedRows, Piece, image_fault
from synfiqa.schemas.config.train_data import AugmentSection
from tests.fiqa_train.small_photos import encoded

PLAIN = AugmentSection(
    mirror=0, geometry=0, gamma=0, contrast=0, gain=0, black_lift=0, saturation=0, white_balance=0, texture=0
)
"""No change at all."""


@cache
def image(number):
    """Return one of seven encoded faces."""
    return encoded(number % 7, kind="JPEG")


@dataclass(frozen=True)
class FakeSource:
    """`rows[p]` faces in piece p, all of identity p; face r of piece p has the quality 1000 p + r + `first`.

    `broken` is the number of a face whose image is damaged, `twice` a piece that has a name twice.
    """

    rows: tuple[int, ...]
    name: str = "fake"
    weight: float = 1.0
    first: int = 0
    broken: int = -1
    twice: int = -1

    @property
    def pieces(self):
        return [Piece(count, number) for number, count in enumerate(self.rows)]

    @property
    def identities(self):
        return dict(enumerate(self.rows))

    def read(self, piece):
        numbers = [1000 * piece.place + row + self.first for row in range(piece.rows)]
        return EncodedRows(
            encoded=[image(number) if number != self.broken else b"\xff\xd8\xff" for number in numbers],
            quality=np.array(numbers, np.float32),
            identity=[piece.place] * piece.rows,
            names=["same"] * piece.rows if piece.place == self.twice else [f"face-{number}" for number in numbers],
        )

    def fault(self, name, reason):
        return image_fault(self.name, name, reason)


def reader(sources, rank=0, world=1, **changes):
    """Return a reader of these sources, streamed and without augmentation."""
    arguments = {"channels": "gray", "batch_size": 16, "seed": 5, "augment": PLAIN, "cache_rows": 0} | changes
    return TrainingReader(sources, rank=rank, world=world, **arguments)


def numbers(batches):
    """Return the numbers of the faces of batches, in order."""
    return [int(value) for batch in batches for value in batch.quality]


def over_ranks(sources, world, epoch=0, **changes):
    """Return the fields of the batches of an epoch over all ranks, rank by rank in each step."""
    ranks = [list(reader(sources, rank, world, **changes).batches(epoch)) for rank in range(world)]
    assert len({len(batches) for batches in ranks}) == 1, "equal batch counts"
    assert len({len(batch.quality) for batches in ranks for batch in batches}) == 1, "equal batches"
    return {
        field: np.concatenate([getattr(batch, field).numpy() for step in zip(*ranks, strict=True) for batch in step])
        for field in ("images", "quality", "classes")
    }
