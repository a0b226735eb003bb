"""Object of a store as a file that is read in ranges."""

import io
from collections.abc import Buffer

from synfiqa.cluster.storage.storage import Storage


class StoreFile(io.RawIOBase):
    """Readable, seekable file on one object; each read is one request for a range of bytes."""

    def __init__(self, storage: Storage, path: str) -> None:
        """Take the size of the object; FileNotFoundError when there is none."""
        super().__init__()
        self._storage, self._path, self._place = storage, path, 0
        self._size = storage.size(path)

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position in bytes."""
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a position in bytes from the start, the position or the end."""
        self._place = max(0, offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence])
        return self._place

    def readinto(self, buffer: Buffer) -> int:
        """Fill the buffer from the position on; return how many bytes there were."""
        view = memoryview(buffer).cast("B")
        count = min(len(view), self._size - self._place)
        if count <= 0:
            return 0
        view[:count] = self._storage.read_range(self._path, self._place, count)
        self._place += count
        return count
