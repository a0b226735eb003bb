"""Pairs of images, or of templates, that are compared."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components


@dataclass(frozen=True)
class PairTable:
    """Positions (N,) of the two images of each pair, first < second, and whether both show one identity."""

    first: np.ndarray
    second: np.ndarray
    genuine: np.ndarray

    @property
    def counts(self) -> tuple[int, int]:
        """Return how many genuine and how many impostor pairs there are."""
        genuine = int(self.genuine.sum())
        return genuine, len(self.genuine) - genuine

    def where(self, kept: np.ndarray) -> "PairTable":
        """Return the pairs that a mask (N,) keeps."""
        return PairTable(self.first[kept], self.second[kept], self.genuine[kept])


def ordered_pairs(first: np.ndarray, second: np.ndarray, genuine: np.ndarray) -> PairTable:
    """Return listed pairs (N,) as a table, the lower position of each pair first."""
    return PairTable(np.minimum(first, second), np.maximum(first, second), np.asarray(genuine, bool))


def linked_identities(table: PairTable, count: int) -> np.ndarray:
    """Return the identity (count,) of images of which only pairs are known: images that genuine pairs link are one.

    An identity whose images no chain of genuine pairs links counts as several.
    """
    first, second = table.first[table.genuine], table.second[table.genuine]
    links = csr_matrix((np.ones(len(first), np.int8), (first, second)), shape=(count, count))
    found: np.ndarray = connected_components(links, directed=False)[1].astype(np.int64)
    return found


def repeated_pairs(table: PairTable, count: int) -> int:
    """Return how many pairs of `count` images are there more than once, the first of each not counted."""
    return len(table.first) - len(np.unique(table.first.astype(np.int64) * count + table.second))


def contradictory_pairs(table: PairTable, identity: np.ndarray) -> int:
    """Return how many impostor pairs show one identity (count,), which other pairs or names state."""
    return int(np.count_nonzero(~table.genuine & (identity[table.first] == identity[table.second])))
