"""Reads some columns of Parquet files without fetching the others, several files at a time and in order."""

import io
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pyarrow as pa
import pyarrow.parquet as pq

from synfiqa.cluster.storage.storage import Storage
from synfiqa.schemas.errors import JobFailed
from synfiqa.schemas.manifest import DataFile

SMALL_FILE = 2**19
"""Bytes up to which a file is read whole: one request, and its digest is checked."""
HEAD, TAIL = 2**12, 2**18
"""Bytes at both ends of a file that are fetched at once; the tail holds the footer and, in a ledger unit of 64, all
columns after the pictures."""
AT_ONCE = 32
"""Files read concurrently."""


def read_columns(storage: Storage, file: DataFile, columns: Sequence[str]) -> pa.Table:
    """Return columns of a committed Parquet file; JobFailed with its name when it is missing, short or damaged.

    Pages carry checksums, which are compared; files of older versions have none.
    """
    try:
        # Column chunks that lie side by side are fetched in one request.
        parts = RangedFile(storage, file.path, file.bytes)
        parquet = pq.ParquetFile(parts, pre_buffer=True, page_checksum_verification=True)
        table = parquet.read(columns=list(columns), use_threads=False)
    except FileNotFoundError as error:
        raise JobFailed(f"{storage.uri(file.path)} is committed but missing; restore it from a copy") from error
    # pyarrow raises ArrowInvalid for what is no Parquet file, and OSError itself for a wrong page checksum.
    except (pa.ArrowInvalid, OSError, EOFError) as error:
        raise JobFailed(f"{storage.uri(file.path)} is damaged ({error}); restore it from a copy") from error
    if table.num_rows != file.rows:
        raise JobFailed(
            f"{storage.uri(file.path)} is damaged: {table.num_rows} rows are in it, not {file.rows}; "
            "restore it from a copy"
        )
    return table.replace_schema_metadata(None)


def in_order[K, T](read: Callable[[K], T], keys: Iterable[K], /) -> Iterator[T]:
    """Yield `read` of every key in order, up to AT_ONCE of them running; the first error is raised in its place."""
    waiting: deque[Future[T]] = deque()
    pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="column-reads")
    try:
        for key in keys:
            waiting.append(pool.submit(read, key))
            if len(waiting) >= 2 * AT_ONCE:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


class RangedFile(io.RawIOBase):
    """A file of so many bytes whose parts are fetched when they are read; both ends of it at once."""

    def __init__(self, storage: Storage, path: str, size: int) -> None:
        self._storage, self._path, self._bytes, self._at = storage, path, size, 0
        self._parts = [(start, self._fetch(start, stop)) for start, stop in self._ends()]

    def _ends(self) -> list[tuple[int, int]]:
        tail = max(self._bytes - TAIL, 0)
        return [(tail, self._bytes), (0, min(HEAD, tail))] if tail else [(0, self._bytes)]

    def _fetch(self, start: int, stop: int) -> bytes:
        return self._storage.read_range(self._path, start, stop - start)

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the byte that is read next."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a byte, as files do, and return it."""
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._bytes}[whence]
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        """Return the bytes from here on, up to `size`."""
        start = self._at
        stop = self._bytes if size is None or size < 0 else min(start + size, self._bytes)
        self._at = max(start, stop)
        if stop <= start:
            return b""
        for first, data in self._parts:
            if first <= start and stop <= first + len(data):
                return data[start - first : stop - first]
        return self._fetch(start, stop)
