"""Numbers of the identities of all sources as classes, and what they hold."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from synfiqa.fiqa_train.training.reading.sources.source import Source
from synfiqa.schemas.errors import UserError

UNKNOWN = -1
"""Class of a face whose identity is unknown."""


@dataclass(frozen=True)
class ClassCounts:
    """Number of faces of each class, int64 (classes,), and the name of each, `<source>/<identity>`."""

    counts: np.ndarray
    names: Sequence[str]

    def remarks(self) -> list[str]:
        """Return a sentence for each property that a loss over identities suffers from; [] where there is none."""
        found = []
        if len(self.counts) == 1:
            found.append(f"all training images are of one identity, {self.names[0]}: no loss over identities can learn")
        single = np.flatnonzero(self.counts == 1)
        if len(single):
            found.append(
                f"{len(single)} of {len(self.counts)} identities have one training image, such as "
                f"{self.names[single[0]]}: such an image has no other one of its class to be near to"
            )
        return found


class Classes:
    """Classes of all sources: those of each in the order of its identities, one source after the other.

    Identities of two sources are different people, even where their names are equal.
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        names = [source.name for source in sources]
        if len(set(names)) != len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise UserError(f"two training sources have the name '{twice}'; rename one")
        self._numbers: list[dict[Hashable, int]] = []
        begin = 0
        for source in sources:
            self._numbers.append({key: begin + place for place, key in enumerate(source.identities)})
            begin += len(source.identities)
        self.count = begin

    def numbers(self, source: int, identities: Sequence[Hashable | None]) -> np.ndarray:
        """Return the classes of identities of one source, int64 (N,)."""
        own = self._numbers[source]
        return np.array([own.get(key, UNKNOWN) for key in identities], np.int64)


def count_classes(sources: Sequence[Source]) -> ClassCounts:
    """Return how many faces each class has, without reading an image."""
    counts = [count for source in sources for count in source.identities.values()]
    names = [f"{source.name}/{key}" for source in sources for key in source.identities]
    return ClassCounts(np.array(counts, np.int64), names)
