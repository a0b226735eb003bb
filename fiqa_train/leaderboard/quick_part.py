"""Part of a test set for a quick leaderboard: some images of some of its people, and the pairs between them."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from synfiqa.fiqa_train.datasets.pair_table import PairTable
from synfiqa.fiqa_train.datasets.testset import Crops, SelectableCrops, TestSet

BATCH = 64
"""Least images in a batch but the last: small batches of a large set are joined."""


def quick_part(test_set: TestSet, people: int, images: int, seed: int) -> tuple[TestSet, np.ndarray]:
    """Return the part with at most so many people and images, drawn by the seed, and the positions of its images.

    Each person has an equal share of the images, references at most half of it. A set of templates or of unknown
    identities stays whole.
    """
    whole = np.arange(len(test_set.ids))
    if test_set.identity is None or test_set.templates is not None:
        return test_set, whole
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(np.unique(test_set.identity))[:people]
    share = max(2, images // len(chosen))
    kept = np.sort(np.concatenate([_of_person(test_set, person, share, rng) for person in np.sort(chosen)]))
    if len(kept) == len(whole):
        return test_set, whole
    return _only(test_set, kept), kept


def _of_person(test_set: TestSet, person: int, share: int, rng: np.random.Generator) -> np.ndarray:
    own = np.flatnonzero(test_set.identity == person)
    if len(own) <= share:
        return own
    drawn = rng.permutation(own)
    if test_set.is_reference is not None:
        reference = test_set.is_reference[drawn]
        first, others = drawn[reference], drawn[~reference]
        few = first[: max(share // 2, share - len(others))]
        drawn = np.concatenate([few, others])
    found: np.ndarray = drawn[:share]
    return found


def _only(test_set: TestSet, kept: np.ndarray) -> TestSet:
    position = np.full(len(test_set.ids), -1)
    position[kept] = np.arange(len(kept))
    pairs = test_set.pairs
    if pairs is not None:
        between = pairs.where((position[pairs.first] >= 0) & (position[pairs.second] >= 0))
        pairs = PairTable(position[between.first], position[between.second], between.genuine)
    assert test_set.identity is not None
    return replace(
        test_set,
        protocol=f"{test_set.protocol}; quick: {len(kept)} of {len(test_set.ids)} images",
        ids=tuple(test_set.ids[at] for at in kept),
        crops=_crops(test_set, kept),
        identity=test_set.identity[kept],
        pairs=pairs,
        is_reference=None if test_set.is_reference is None else test_set.is_reference[kept],
    )


def _crops(test_set: TestSet, kept: np.ndarray) -> "SelectableCrops | _Chosen":
    source = test_set.crops
    return source.only(kept) if isinstance(source, SelectableCrops) else _Chosen(test_set, kept)


class _Chosen:
    """Reads all images of a set and keeps those at the positions `kept`, ascending, in batches of `BATCH`."""

    def __init__(self, test_set: TestSet, kept: np.ndarray) -> None:
        self._source, self._kept = test_set.crops, kept

    def __call__(self) -> Iterator[Crops]:
        """Yield the chosen images."""
        images, reasons = np.empty(0, np.uint8), tuple[str, ...]()
        for part in self._parts():
            images = np.concatenate([images, part.images]) if reasons else part.images
            reasons = (*reasons, *part.reasons)
            if len(reasons) >= BATCH:
                yield Crops(images, reasons)
                reasons = ()
        if reasons:
            yield Crops(images, reasons)

    def _parts(self) -> Iterator[Crops]:
        start = 0
        for crops in self._source():
            own = self._kept[(self._kept >= start) & (self._kept < start + len(crops.reasons))] - start
            start += len(crops.reasons)
            if len(own):
                yield Crops(crops.images[own], tuple(crops.reasons[at] for at in own))
