"""Batches of a training of DSL-FIQA: dual sets for the encoder, then crops with landmarks and scores.

A crop depends on seed, epoch, step and its place in the batch alone, so that neither threads nor the number of workers
that share a batch change it.
"""

import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from synfiqa.actors.quality.measures.portrait_measures import PORTRAIT_MEASURES
from synfiqa.fiqa_train.training.dsl.crop_draws import random_crop
from synfiqa.fiqa_train.training.dsl.degradation_draws import random_degradation
from synfiqa.fiqa_train.training.dsl.portrait_set import PortraitSet
from synfiqa.fiqa_train.training.dsl.target_scale import TargetScale
from synfiqa.fiqa_train.training.reading.batch import Batch
from synfiqa.fiqa_train.training.reading.order import share_of_batch
from synfiqa.schemas.config.train_config import TrainSection
from synfiqa.schemas.seeds import derive_seed, generator

AHEAD = 3
"""Batches that are made ahead of the one in use."""
CLEANEST = 0.25
"""Share of the portraits, those of the highest scores, that set S degrades: another fault could hide the drawn one."""
UNDEGRADED = 0.1
"""Share of redrawn portraits that stay clean."""
SET_S, SET_R = 0, 1
"""Values of `classes` in a batch of the first stage."""


@dataclass(frozen=True)
class PortraitBatch(Batch):
    """A batch whose `images` are RGB crops (B, 3, S, S) in 0..255, with landmarks (B, 68, 2) in their pixels.

    In the first stage `classes` names the set of each row (SET_S or SET_R; of pairs, the number of the pair) and
    `quality` is NaN.
    """

    landmarks: Tensor

    def inputs(self, rows: slice, device: torch.device) -> tuple[Tensor, ...]:
        """Return what an objective takes of some rows, on the device."""
        return (*super().inputs(rows, device), self.landmarks[rows].to(device, non_blocking=True))


class PortraitReader:
    """Batches of one rank: `section.dsl.encoder_epochs` epochs of sets, then `section.epochs` of scored crops.

    `unlabelled` is set R. An epoch of sets has each of its images once, but for fewer than a set. Scores are scaled
    to 0..1 by `section.dsl.target`.
    """

    classes = 0

    def __init__(
        self,
        portraits: PortraitSet,
        unlabelled: PortraitSet,
        section: TrainSection,
        side: int,
        seed: int,
        *,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self._portraits, self._unlabelled, self._section, self._side = portraits, unlabelled, section, side
        self._seed, self._rank, self._world = seed, rank, world
        scores = portraits.scores
        self._scale = TargetScale(scores, section.dsl.target)
        self._quality = self._scale(scores)
        clean = max(1, round(CLEANEST * len(scores)))
        self._clean = np.argsort(-scores, kind="stable")[:clean]
        self._pools: list[ThreadPoolExecutor] = []
        self.waited_s = 0.0

    @property
    def encoder_epochs(self) -> int:
        """Epochs of the first stage."""
        return self._section.dsl.encoder_epochs

    def steps(self, epoch: int) -> int:
        """Return the number of batches of an epoch; UserError for too few portraits."""
        if epoch < self.encoder_epochs:
            return max(1, len(self._unlabelled) // (self._section.dsl.others * self._world))
        share = share_of_batch(len(self._portraits), self._section.batch_size, self._world)
        return len(self._portraits) // (share * self._world)

    def batches(self, epoch: int, first_step: int = 0) -> Iterator[Batch]:
        """Yield the batches of an epoch from a step on, made by threads."""
        pool = ThreadPoolExecutor(self._section.readers, thread_name_prefix="training-portraits")
        self._pools.append(pool)
        waiting: deque[Future[PortraitBatch]] = deque()
        try:
            for step in range(first_step, self.steps(epoch)):
                waiting.append(pool.submit(self.batch, epoch, step))
                if len(waiting) > AHEAD:
                    yield self._finished(waiting)
            while waiting:
                yield self._finished(waiting)
        finally:
            self._end(pool)

    def close(self) -> None:
        """End the threads."""
        for pool in list(self._pools):
            self._end(pool)

    def batch(self, epoch: int, step: int) -> PortraitBatch:
        """Return the batch of a step."""
        if epoch >= self.encoder_epochs:
            return self._scored(epoch, step)
        pairs = self._section.dsl.contrast == "info_nce"
        return self._pairs(epoch, step) if pairs else self._dual_set(epoch, step)

    def _scored(self, epoch: int, step: int) -> PortraitBatch:
        share = share_of_batch(len(self._portraits), self._section.batch_size, self._world)
        order = generator(derive_seed(self._seed, "portraits", epoch)).permutation(len(self._portraits))
        start = (step * self._world + self._rank) * share
        rows = order[start : start + share]
        drawn = [
            self._scored_crop(int(row), self._rng(epoch, step, self._rank * share + n)) for n, row in enumerate(rows)
        ]
        quality = np.array([score for _, _, score in drawn], np.float32)
        return _batch([crop for crop, _, _ in drawn], [marks for _, marks, _ in drawn], quality, np.full(share, -1))

    def _scored_crop(self, row: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, float]:
        """Return a crop, its landmarks and its target; at the rate `redraw` the clean portrait is degraded anew."""
        dsl, item, score = self._section.dsl, self._portraits[row], float(self._quality[row])
        image = item.image
        if item.clean is not None and rng.random() < dsl.redraw:
            image = item.clean if rng.random() < UNDEGRADED else random_degradation(item.clean, rng)
            found = PORTRAIT_MEASURES[item.measure][0](item.clean, image, np.asarray(item.landmarks))
            score = float(self._scale(np.array([found]))[0])
        return *random_crop(image, np.asarray(item.landmarks), self._side, dsl.flip, rng), score

    def _dual_set(self, epoch: int, step: int) -> PortraitBatch:
        """Return set S, one crop of a clean face under m draws, then set R, crops of n other images."""
        dsl, rng = self._section.dsl, self._rng(epoch, step, -1 - self._rank)
        item = self._portraits[int(rng.choice(self._clean))]
        clean = item.image if item.clean is None else item.clean
        base, _ = random_crop(clean, np.asarray(item.landmarks), self._side, dsl.flip, rng)
        crops = [random_degradation(base, rng) for _ in range(dsl.degradations)]
        crops += [self._crop(self._unlabelled, row, dsl.flip, rng)[0] for row in self._others(epoch, step)]
        sets = np.repeat([SET_S, SET_R], [dsl.degradations, dsl.others])
        return _batch(crops, None, np.full(len(crops), np.nan, np.float32), sets)

    def _pairs(self, epoch: int, step: int) -> PortraitBatch:
        """Return two crops each of n images under a random degradation, first all first ones, then all second ones."""
        dsl, rng = self._section.dsl, self._rng(epoch, step, -1 - self._rank)
        first: list[np.ndarray] = []
        second: list[np.ndarray] = []
        for row in self._others(epoch, step):
            seed = int(rng.integers(2**62))
            for crops in (first, second):
                crop, _ = self._crop(self._unlabelled, row, dsl.flip, rng)
                # The same kind and strength, and of noise another pattern only where the crop differs.
                crops.append(random_degradation(crop, generator(seed)))
        numbers = np.tile(np.arange(dsl.others), 2)
        return _batch([*first, *second], None, np.full(2 * dsl.others, np.nan, np.float32), numbers)

    def _others(self, epoch: int, step: int) -> list[int]:
        """Return n images of set R; each epoch has its own order, which starts anew where it is shorter than a set."""
        order = generator(derive_seed(self._seed, "unlabelled", epoch)).permutation(len(self._unlabelled))
        n = self._section.dsl.others
        start = (step * self._world + self._rank) * n
        return [int(order[place % len(order)]) for place in range(start, start + n)]

    def _crop(
        self, portraits: PortraitSet, row: int, flip: float, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        item = portraits[row]
        return random_crop(item.image, np.asarray(item.landmarks), self._side, flip, rng)

    def _rng(self, epoch: int, step: int, place: int) -> np.random.Generator:
        return generator(derive_seed(self._seed, "crop", epoch, step, place))

    def _finished(self, waiting: "deque[Future[PortraitBatch]]") -> PortraitBatch:
        begin = time.monotonic()
        batch = waiting.popleft().result()
        self.waited_s += time.monotonic() - begin
        return batch

    def _end(self, pool: ThreadPoolExecutor) -> None:
        pool.shutdown(cancel_futures=True)
        if pool in self._pools:
            self._pools.remove(pool)


def _batch(
    crops: list[np.ndarray], landmarks: list[np.ndarray] | None, quality: np.ndarray, classes: np.ndarray
) -> PortraitBatch:
    images = torch.from_numpy(np.stack(crops).transpose(0, 3, 1, 2).astype(np.float32))
    marks = np.zeros((len(crops), 68, 2), np.float32) if landmarks is None else np.stack(landmarks)
    return PortraitBatch(
        images, torch.from_numpy(quality), torch.from_numpy(classes.astype(np.int64)), torch.from_numpy(marks)
    )
