"""Training sets of InsightFace: `train.rec` with its index `train.idx`.

Record 0 has two labels, the first record after the images and the last after the identities; the records between hold
two labels each, the images `first`..`stop` of one identity. Images have the number of their identity as first label.
"""

from collections import Counter
from collections.abc import Hashable, Iterator
from dataclasses import dataclass

import numpy as np

from synfiqa.cluster.storage.storage import Storage
from synfiqa.fiqa_train.training.reading.sources.outside_scores import outside_scores
from synfiqa.fiqa_train.training.reading.sources.recordio import ImageRecord, parse_image, read_index, record_at
from synfiqa.fiqa_train.training.reading.sources.source import EncodedRows, Piece, StoredPieces, image_fault
from synfiqa.schemas.errors import UserError

RECORDS, INDEX = "train.rec", "train.idx"
RUN_ROWS, PIECE_RUNS = 64, 8
"""Neighbouring records that are fetched in one request, and such runs, far from each other, of a piece."""


@dataclass(frozen=True)
class _Run:
    """Neighbouring records: their numbers, first bytes int64 (N,), end of the last, outside scores float32 (N,)."""

    numbers: np.ndarray
    places: np.ndarray
    end: int
    scores: np.ndarray


@dataclass(frozen=True)
class RecordFile(StoredPieces):
    """Images of a RecordIO file; a piece has runs of neighbouring records from all over it, hence many identities."""

    @classmethod
    def of(cls, name: str, url: str, weight: float = 1.0, scores: str = "") -> "RecordFile":
        """Read index and identities; UserError naming file and record when one is missing, damaged or cut short."""
        storage = Storage(url)
        try:
            index = storage.read(INDEX)
            size = storage.size(RECORDS)
        except FileNotFoundError as error:
            raise UserError(
                f"training source '{name}': {storage.uri()} lacks {RECORDS} or {INDEX}; give the folder of both"
            ) from error
        try:
            places = read_index(index.decode("ascii", "replace"))
        except ValueError as error:
            raise UserError(f"training source '{name}': {storage.uri(INDEX)} {error}; download it again") from error
        if not places:
            raise UserError(f"training source '{name}': {storage.uri(INDEX)} lists no record; download it again")
        file = _File(name, storage, np.array(list(places)), np.array(list(places.values())), size)
        numbers, identities = file.contents()
        kept = np.isin(file.numbers, numbers)
        own = [str(number) for number in file.numbers[kept]]
        quality = outside_scores(name, scores, own) if scores else np.full(len(own), np.nan, np.float32)
        runs = list(file.runs(kept, quality))
        count = -(-len(runs) // PIECE_RUNS)
        parts = [tuple(runs[first::count]) for first in range(count)]
        pieces = [Piece(sum(len(run.numbers) for run in part), part) for part in parts]
        return cls(name, storage, pieces, identities, weight)

    def read(self, piece: Piece) -> EncodedRows:
        """Return the images of a piece; UserError naming file and record for one that is damaged."""
        runs: tuple[_Run, ...] = piece.place
        encoded: list[bytes] = []
        identity: list[Hashable | None] = []
        names: list[str] = []
        for run in runs:
            for number, record in _records(self.name, self.storage, run):
                key = int(record.labels[0])
                if key not in self.identities:
                    raise self.fault(str(number), f"has the label {record.labels[0]:g}, which is no identity of it")
                encoded.append(record.image)
                identity.append(key)
                names.append(str(number))
        quality = np.concatenate([run.scores for run in runs])
        return EncodedRows(encoded, quality, identity, names)

    def fault(self, name: str, reason: str) -> Exception:
        """Return the error for a record that cannot be used."""
        return image_fault(self.name, f"of record {name} of {self.storage.uri(RECORDS)}", reason)


@dataclass(frozen=True)
class _File:
    """Numbers and first bytes of all records in the order of the file, int64 (N,), and its size in bytes."""

    source: str
    storage: Storage
    numbers: np.ndarray
    places: np.ndarray
    size: int

    def contents(self) -> tuple[np.ndarray, dict[Hashable, int]]:
        """Return the numbers of the image records, and how many images each identity has."""
        beyond = np.flatnonzero(self.places >= self.size)
        if len(beyond):
            raise _broken(self.source, self.storage, int(self.numbers[beyond[0]]), "lies beyond its end")
        # A file that is cut short within its last record is found before the first epoch.
        self.record(int(self.numbers[-1]))
        first = self.record(0) if 0 in self.numbers else None
        if first is None or len(first.labels) < 2:
            return self.numbers, self._counted()
        stop, last = (int(label) for label in first.labels[:2])
        images = self.numbers[(self.numbers > 0) & (self.numbers < stop)]
        chosen = (self.numbers >= stop) & (self.numbers < last)
        counts: dict[int, int] = {}
        for run in self.runs(chosen, np.empty(int(chosen.sum()), np.float32)):
            for number, record in _records(self.source, self.storage, run):
                if len(record.labels) < 2:
                    raise _broken(self.source, self.storage, number, "names no images of its identity")
                counts[number - stop] = int(record.labels[1]) - int(record.labels[0])
        return images, {key: counts[key] for key in sorted(counts)}

    def _counted(self) -> dict[Hashable, int]:
        """Count the images of each identity by reading the whole file, where no record lists them."""
        every = np.ones(len(self.numbers), bool)
        counts = Counter(
            int(record.labels[0])
            for run in self.runs(every, np.empty(len(every), np.float32))
            for _, record in _records(self.source, self.storage, run)
        )
        return {key: counts[key] for key in sorted(counts)}

    def record(self, number: int) -> ImageRecord:
        """Return one record."""
        (found,) = self.runs(self.numbers == number, np.empty(1, np.float32))
        ((_, record),) = _records(self.source, self.storage, found)
        return record

    def runs(self, chosen: np.ndarray, scores: np.ndarray) -> Iterator[_Run]:
        """Yield the chosen records (bool, N) in runs of neighbours; `scores` are theirs."""
        ends = np.append(self.places[1:], self.size)
        rows = np.flatnonzero(chosen)
        breaks = np.flatnonzero(np.diff(rows) != 1) + 1
        done = 0
        for stretch in np.split(rows, breaks):
            for first in range(0, len(stretch), RUN_ROWS):
                own = stretch[first : first + RUN_ROWS]
                yield _Run(self.numbers[own], self.places[own], int(ends[own[-1]]), scores[done : done + len(own)])
                done += len(own)


def _records(source: str, storage: Storage, run: _Run) -> Iterator[tuple[int, ImageRecord]]:
    start = int(run.places[0])
    try:
        data = storage.read_range(RECORDS, start, run.end - start)
    except (EOFError, FileNotFoundError) as error:
        raise _broken(source, storage, int(run.numbers[-1]), f"cannot be read ({error})") from error
    stops = [*(run.places[1:] - start).tolist(), len(data)]
    for number, place, stop in zip(run.numbers.tolist(), (run.places - start).tolist(), stops, strict=True):
        try:
            record = parse_image(record_at(data[place:stop], 0))
        except ValueError as error:
            raise _broken(source, storage, number, str(error)) from error
        yield number, record


def _broken(source: str, storage: Storage, number: int, reason: str) -> UserError:
    return UserError(
        f"training source '{source}': record {number} of {storage.uri(RECORDS)} {reason}; download the file again"
    )
