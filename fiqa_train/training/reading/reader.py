"""Batches of training faces: read, decoded and augmented by threads beside the optimiser step.

Up to `cache_rows` faces the set is decoded once and kept as uint8 (12.5 KB a luma, 37.6 KB an RGB face), and an epoch
is one permutation of it. A larger set is streamed by `order.StreamedOrder`: batches are mixed over `window_shards`
pieces, and memory holds the encoded images of twice as many.
"""

import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from itertools import pairwise

import numpy as np

from synfiqa.fiqa_train.training.reading.augment import augment as augmented
from synfiqa.fiqa_train.training.reading.augment import draws_of_step
from synfiqa.fiqa_train.training.reading.batch import Batch, empty_batch
from synfiqa.fiqa_train.training.reading.classes import ClassCounts, count_classes
from synfiqa.fiqa_train.training.reading.decode import Channels
from synfiqa.fiqa_train.training.reading.faces import Pieces
from synfiqa.fiqa_train.training.reading.faces_of_epoch import (
    EpochFaces,
    FacesFromPieces,
    FacesInMemory,
    KeptFaces,
    Rows,
)
from synfiqa.fiqa_train.training.reading.order import KeptOrder, Lanes, StreamedOrder, epoch_pieces, share_of_batch
from synfiqa.fiqa_train.training.reading.sources.source import Source
from synfiqa.schemas.config.train_data import AugmentSection
from synfiqa.schemas.seeds import derive_seed

AHEAD = 3
"""Batches that are made ahead of the one in use."""
FETCHERS = 4
"""Threads that wait for files of a set that is streamed."""
_PART_ROWS = 16
"""Fewest faces of a batch that a thread takes."""


class TrainingReader:
    """Batches of one rank, in an order fixed by seed, epoch, sources and batch size.

    The batch of a step over all ranks, rank by rank, is the same faces in the same order and changed in the same way
    for every `world` that divides `batch_size`; with others, each batch is smaller by the remainder. Every rank has the
    same number of batches of equally many faces. An epoch has each face at most once, apart from sources of a weight
    above 1, and leaves out fewer faces than a batch. `lanes` and `window_shards` take part in the order, `threads` and
    `pinned` do not.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        *,
        channels: Channels,
        batch_size: int,
        seed: int,
        rank: int,
        world: int,
        augment: AugmentSection,
        threads: int = 1,
        pinned: bool = False,
        cache_rows: int = 30_000,
        lanes: int = 8,
        window_shards: int = 64,
    ) -> None:
        self._pieces = Pieces(sources)
        self._sources = tuple(sources)
        self._channels, self._batch_size, self._seed = channels, batch_size, seed
        self._rank, self._world, self._augment = rank, world, augment
        self._threads, self._pinned, self._lanes, self._window = threads, pinned, lanes, window_shards
        self._keep = int(self._pieces.rows.sum()) <= cache_rows
        self._kept: KeptFaces | None = None
        self._running: list[tuple[ThreadPoolExecutor, ...]] = []
        self.classes = self._pieces.classes.count
        self.waited_s = 0.0

    @property
    def class_counts(self) -> ClassCounts:
        """How many faces each class has, with remarks on classes of one face; reads no image."""
        return count_classes(self._sources)

    def steps(self, epoch: int) -> int:
        """Return the number of batches of an epoch, equal on all ranks; UserError for too few faces."""
        return self._plan(epoch)[3]

    def batches(self, epoch: int, first_step: int = 0) -> Iterator[Batch]:
        """Yield the batches of an epoch from a step on, equal to those of the whole epoch.

        Errors of reading and decoding are raised in the step that needs the image. Threads end with the iterator.
        """
        order = self._order(epoch)
        size = order.lanes.batch // self._world
        fetchers = ThreadPoolExecutor(max(FETCHERS, self._threads), thread_name_prefix="training-fetch")
        workers = ThreadPoolExecutor(self._threads, thread_name_prefix="training-faces")
        pools = (workers, fetchers)
        self._running.append(pools)
        try:
            faces = self._faces(order, fetchers)
            waiting: deque[tuple[int, Batch, list[Future[None]]]] = deque()
            for step in range(first_step, order.steps):
                batch = empty_batch(size, self._channels, pinned=self._pinned)
                rows = faces.rows(step)
                parts = [
                    workers.submit(self._make, batch, rows, order.lanes, epoch, step, low, high)
                    for low, high in _cuts(size, self._threads)
                ]
                waiting.append((step, batch, parts))
                if len(waiting) > AHEAD:
                    yield self._finished(waiting, faces)
                    if pools not in self._running:
                        return
            while waiting:
                yield self._finished(waiting, faces)
        except CancelledError:
            # The reader was closed while a batch was on the way.
            return
        finally:
            self._end(pools)

    def close(self) -> None:
        """End the threads of all iterators; these end, too."""
        for pools in list(self._running):
            self._end(pools)

    def _end(self, pools: tuple[ThreadPoolExecutor, ...]) -> None:
        # Workers wait for fetchers: both are cancelled before either is waited for.
        for pool in pools:
            pool.shutdown(wait=False, cancel_futures=True)
        for pool in pools:
            pool.shutdown()
        if pools in self._running:
            self._running.remove(pools)

    def _plan(self, epoch: int) -> tuple[np.ndarray, np.ndarray, Lanes, int]:
        """Return the pieces of an epoch, the lap of each, the lanes of its batches, and how many batches it has."""
        pieces, laps = epoch_pieces(self._pieces.counts, self._pieces.weights, self._seed, epoch)
        total = int(self._pieces.rows[pieces].sum())
        share = share_of_batch(total, self._batch_size, self._world)
        lanes = Lanes.of(share * self._world, self._lanes)
        return pieces, laps, lanes, total // lanes.batch

    def _order(self, epoch: int) -> KeptOrder | StreamedOrder:
        pieces, laps, lanes, _ = self._plan(epoch)
        seed = derive_seed(self._seed, "order", epoch)
        if self._keep:
            return KeptOrder(self._pieces.rows, pieces, lanes, seed)
        return StreamedOrder(self._pieces.rows, pieces, laps, lanes, self._window, seed)

    def _faces(self, order: KeptOrder | StreamedOrder, fetchers: ThreadPoolExecutor) -> EpochFaces:
        size = order.lanes.batch // self._world
        start, stop = self._rank * size, (self._rank + 1) * size
        if isinstance(order, StreamedOrder):
            return FacesFromPieces(self._pieces, order, self._channels, start, stop, fetchers)
        if self._kept is None:
            begin = time.monotonic()
            self._kept = KeptFaces.read(self._pieces, self._channels, self._threads)
            self.waited_s += time.monotonic() - begin
        return FacesInMemory(self._kept, order, start, stop)

    def _make(self, batch: Batch, rows: Rows, lanes: Lanes, epoch: int, step: int, low: int, high: int) -> None:
        """Decode and augment the faces low..high of a batch."""
        begin = self._rank * (lanes.batch // self._world)
        changes = draws_of_step(lanes, begin + low, begin + high, self._seed, epoch, step)
        # Views of the same memory, since setting rows of tensors costs as much as decoding them.
        images, quality, classes = batch.images.numpy(), batch.quality.numpy(), batch.classes.numpy()
        for row, face, draw in zip(range(low, high), rows.faces(low, high), changes, strict=True):
            augmented(face.image, draw, self._augment, images[row])
            quality[row], classes[row] = face.quality, face.number

    def _finished(self, waiting: deque[tuple[int, Batch, list[Future[None]]]], faces: EpochFaces) -> Batch:
        begin = time.monotonic()
        step, batch, parts = waiting.popleft()
        for part in parts:
            part.result()
        self.waited_s += time.monotonic() - begin
        faces.release(step)
        return batch


def _cuts(rows: int, threads: int) -> list[tuple[int, int]]:
    """Return the parts of a batch that threads take at once."""
    parts = max(1, min(threads, rows // _PART_ROWS))
    ends = [rows * part // parts for part in range(parts + 1)]
    return list(pairwise(ends))
