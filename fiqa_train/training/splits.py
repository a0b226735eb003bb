"""Identity-disjoint train, validation and test splits, stable when identities are added."""

from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np

from synfiqa.schemas.errors import UserError
from synfiqa.schemas.seeds import derive_seed, generator

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
BLOCK = 20


def split_identities(
    identities: Iterable[int], validation_fraction: float, test_fraction: float, seed: int
) -> dict[int, Split]:
    """Return the split of every identity, a function of its number, the fractions and the seed alone.

    Twenty consecutive numbers form a block, and a seeded permutation assigns the places of the block to the splits.
    Identities that are added, missing or dead do not change the split of another one, and the fractions are exact
    (to 1/20 of a block) even on small sets. Where a split would be empty, identities are ranked by the same places
    instead, and each split gets at least one. Raises UserError with fewer than three identities.
    """
    numbers = sorted(set(identities))
    if len(numbers) < len(SPLITS):
        raise UserError(
            f"{len(numbers)} labelled identities cannot be split into train, validation and test: "
            "raise generate.identities to at least 3"
        )
    blocks = {block: _places(block, seed) for block in {number // BLOCK for number in numbers}}
    places = np.array([blocks[number // BLOCK][number % BLOCK] for number in numbers])
    chosen = _cut(places, validation_fraction, test_fraction)
    if len(set(chosen)) < len(SPLITS):
        ranks = np.argsort(np.argsort(places, kind="stable"), kind="stable")
        tests = max(1, round(test_fraction * len(numbers)))
        validations = max(1, round(validation_fraction * len(numbers)))
        tests = min(tests, len(numbers) - 2)
        validations = min(validations, len(numbers) - tests - 1)
        chosen = ["test" if rank < tests else "validation" if rank < tests + validations else "train" for rank in ranks]
    return dict(zip(numbers, chosen, strict=True))


def split_grown(
    identities: Iterable[int], steps: Sequence[int], validation_fraction: float, test_fraction: float, seed: int
) -> dict[int, Split]:
    """Return the split of every identity of a run that has grown in these steps; identities keep the first they had.

    Only a run that was too small for its fractions may differ from one that was larger at once.
    """
    numbers = set(identities)
    splits: dict[int, Split] = {}
    for step in steps[:-1]:
        before = [number for number in numbers if number < step]
        if len(before) >= len(SPLITS):
            splits = split_identities(before, validation_fraction, test_fraction, seed) | splits
    return split_identities(numbers, validation_fraction, test_fraction, seed) | splits


def _cut(places: np.ndarray, validation_fraction: float, test_fraction: float) -> list[Split]:
    edge = test_fraction + validation_fraction
    return ["test" if place < test_fraction else "validation" if place < edge else "train" for place in places]


def _places(block: int, seed: int) -> np.ndarray:
    """Return the place in 0..1 of each number of a block: its permuted slot plus one random offset of the block."""
    rng = generator(derive_seed(seed, "split", block))
    return (rng.permutation(BLOCK) + rng.random()) / BLOCK
