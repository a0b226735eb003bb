"""Verification pairs of held-out images and their similarities, in the protocol of CR-FIQA and MR-FIQA."""

import numpy as np

from synfiqa.actors.recognition.mirrored import both_sides
from synfiqa.actors.roles import Embedder
from synfiqa.fiqa_train.datasets.pair_table import PairTable
from synfiqa.schemas.seeds import derive_seed, generator

MAX_IMPOSTORS = 2_000_000
"""Impostor pairs beyond which a seeded sample replaces all: 16 MB of similarities, FMR down to 5e-7."""
BLOCK = 256
"""Images whose similarities to all others are computed at once."""
DENSE = 0.01
"""Share of a block's pairs that must be wanted for a product of matrices to be faster than one pair at a time."""
_GATHERED = 50_000


def count_pairs(identities: np.ndarray) -> tuple[int, int]:
    """Return how many genuine and impostor pairs images of these identities (N,) form."""
    sizes = np.unique(identities, return_counts=True)[1].astype(object)
    genuine = int((sizes * (sizes - 1) // 2).sum())
    return genuine, len(identities) * (len(identities) - 1) // 2 - genuine


def enumerate_pairs(identities: np.ndarray, max_impostors: int = MAX_IMPOSTORS, seed: int = 0) -> PairTable:
    """Return every genuine pair, and every impostor pair or a seeded sample of `max_impostors` without repeats.

    `identities` (N,) is the identity of each image. Order: genuine pairs by position, then impostors by position.
    """
    identities = np.asarray(identities)
    order = np.argsort(identities, kind="stable")
    starts = np.flatnonzero(np.append(True, np.diff(identities[order]) != 0)) if len(order) else np.empty(0, np.int64)
    groups = np.split(order, starts[1:])
    corners = [np.triu_indices(len(group), 1) for group in groups]
    genuine = _sorted(
        np.concatenate([group[a] for group, (a, _) in zip(groups, corners, strict=True)] or [np.empty(0, np.int64)]),
        np.concatenate([group[b] for group, (_, b) in zip(groups, corners, strict=True)] or [np.empty(0, np.int64)]),
    )
    if count_pairs(identities)[1] <= max_impostors:
        first, second = np.triu_indices(len(identities), 1)
        different = identities[first] != identities[second]
        impostor = first[different], second[different]
    else:
        impostor = _sample_impostors(identities, max_impostors, seed)
    kinds = np.repeat([True, False], [len(genuine[0]), len(impostor[0])])
    return PairTable(np.append(genuine[0], impostor[0]), np.append(genuine[1], impostor[1]), kinds)


def probe_reference_pairs(table: PairTable, is_reference: np.ndarray) -> PairTable:
    """Return the pairs of a reference and a probe; `is_reference` (images,) is true for enrolment images."""
    kept = is_reference[table.first] != is_reference[table.second]
    return table.where(kept)


def _sorted(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    first, second = np.minimum(first, second), np.maximum(first, second)
    order = np.lexsort((second, first))
    return first[order], second[order]


def _sample_impostors(identities: np.ndarray, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = generator(derive_seed(seed, "impostors"))
    n = len(identities)
    chosen = np.empty(0, np.int64)
    while len(chosen) < count:
        a, b = rng.integers(0, n, (2, 2 * (count - len(chosen)) + 16))
        low, high = np.minimum(a, b), np.maximum(a, b)
        keys = (low * n + high)[identities[a] != identities[b]]
        merged = np.concatenate([chosen, keys])
        # Keep the order of drawing, so that cutting at `count` favours no image.
        chosen = merged[np.sort(np.unique(merged, return_index=True)[1])]
    keys = np.sort(chosen[:count])
    return keys // n, keys % n


def embed_flipped(embedder: Embedder, images: np.ndarray, batch: int = 64) -> np.ndarray:
    """Return float32 (N, 2D) unit vectors: the embeddings of the image and of its mirror image side by side.

    `images` is uint8 RGB (N, 112, 112, 3). The cosine of two such vectors is the mean of both cosines, as in
    CR-FIQA's evaluation (Boutros et al. 2023), whose arccos distance ranks pairs the same way.
    """
    parts = []
    for start in range(0, len(images), batch):
        parts.append(np.concatenate(both_sides(embedder, images[start : start + batch]), axis=1))
    return (np.concatenate(parts) / np.sqrt(2.0)).astype(np.float32)


def pair_similarity(vectors: np.ndarray, table: PairTable) -> np.ndarray:
    """Return the cosine float32 (N,) of each pair of unit vectors (images, D).

    Images that occur first in many pairs are multiplied with all others as matrices, BLOCK at a time.
    """
    vectors = np.ascontiguousarray(vectors, np.float32)
    similarity = np.empty(len(table.first), np.float32)
    order = np.argsort(table.first, kind="stable")
    first = table.first[order]
    for start in range(0, len(vectors), BLOCK):
        own = order[np.searchsorted(first, start) : np.searchsorted(first, start + BLOCK)]
        if not len(own):
            continue
        if len(own) >= DENSE * BLOCK * len(vectors):
            rows = table.first[own] - start
            similarity[own] = (vectors[start : start + BLOCK] @ vectors.T)[rows, table.second[own]]
        else:
            for part in np.array_split(own, len(own) // _GATHERED + 1):
                both = vectors[table.first[part]], vectors[table.second[part]]
                similarity[part] = np.einsum("nd,nd->n", *both)
    return similarity


def recognition_of(vectors: np.ndarray, identities: np.ndarray, is_reference: np.ndarray) -> np.ndarray:
    """Return the mean cosine float64 (N,) of each image to the references of its identity, itself left out.

    `vectors` are unit vectors (N, D). NaN where an identity has no reference, or no other one.
    """
    people, numbers = np.unique(identities, return_inverse=True)
    sums = np.zeros((len(people), vectors.shape[1]))
    np.add.at(sums, numbers[is_reference], vectors[is_reference].astype(np.float64))
    counts = np.bincount(numbers[is_reference], minlength=len(people))[numbers] - is_reference
    own = np.einsum("nd,nd->n", vectors, sums[numbers]) - is_reference
    return np.divide(own, counts, out=np.full(len(vectors), np.nan), where=counts > 0)
