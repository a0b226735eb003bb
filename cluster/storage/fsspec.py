"""A run folder on other stores supported by fsspec: memory, SFTP, GCS, Azure."""

import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

from fsspec import AbstractFileSystem
from fsspec.core import url_to_fs

from synfiqa.cluster.storage.base import Entry

_MODIFIED = ("mtime", "modified", "last_modified", "LastModified", "updated", "created")
_CREATE = threading.Lock()  # memory:// checks and puts in two steps


class FsspecStore:
    """Objects below one URL; holds no connection, since fsspec keeps one for each process."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._remote()

    def _remote(self) -> tuple[AbstractFileSystem, str]:
        # Other processes write to the same folder, so cached listings would be stale.
        filesystem, base = url_to_fs(self._url, use_listings_cache=False)
        return filesystem, base.rstrip("/") + "/"

    def read(self, path: str) -> bytes:
        """Return the whole object after comparing its length with that in the store's metadata."""
        filesystem, base = self._remote()
        return _whole(filesystem, base + path, filesystem.cat_file(base + path))

    def read_each(self, paths: Sequence[str]) -> list[bytes | Exception]:
        """Read the objects, concurrently where the client supports it."""
        if not paths:
            return []
        filesystem, base = self._remote()
        keys = [base + path for path in paths]
        found: list[bytes | Exception] = list(filesystem.cat_ranges(keys, None, None, on_error="return"))
        for at, (key, data) in enumerate(zip(keys, found, strict=True)):
            if isinstance(data, bytes):
                try:
                    _whole(filesystem, key, data)
                except Exception as error:
                    found[at] = error
        return found

    def read_range(self, path: str, start: int, length: int) -> bytes:
        """Return a part of the object."""
        filesystem, base = self._remote()
        found: bytes = filesystem.cat_file(base + path, start=start, end=start + length)
        return found

    def put(self, path: str, data: bytes) -> None:
        """Write the whole object in one call."""
        # An fsspec `open` block would publish a part of the object on an exception.
        filesystem, base = self._remote()
        filesystem.pipe_file(base + path, data)

    def put_if_absent(self, path: str, data: bytes) -> bool:
        """Write the object with the client's create mode, or unconditionally where it has none."""
        filesystem, base = self._remote()
        with _CREATE:
            try:
                filesystem.pipe_file(base + path, data, mode="create")
            except FileExistsError:
                return False
            except (TypeError, ValueError, NotImplementedError):
                filesystem.pipe_file(base + path, data)
        return True

    def head(self, path: str) -> Entry:
        """Return length and time of the object."""
        filesystem, base = self._remote()
        # fsspec's isfile() returns False on every error, so that lost credentials would look like a missing object.
        info = filesystem.info(base + path)
        if info["type"] != "file":
            raise FileNotFoundError(base + path)
        return _entry(path, info)

    def delete(self, path: str) -> None:
        """Delete the object; a missing one is no error."""
        filesystem, base = self._remote()
        try:
            self.head(path)
            filesystem.rm_file(base + path)
        except FileNotFoundError:
            return

    def scan(self, prefix: str) -> list[Entry]:
        """List every object below the folder."""
        filesystem, base = self._remote()
        top = f"{base}{prefix}/" if prefix else base
        try:
            found: Mapping[str, Mapping[str, Any]] = filesystem.find(top.rstrip("/"), detail=True)
        except FileNotFoundError:
            return []
        # An object whose name ends in "/" is a folder marker of another tool.
        return [
            _entry(name.removeprefix(base), info)
            for name, info in found.items()
            if name.startswith(top) and not name.endswith("/")
        ]

    def children(self) -> list[str]:
        """Return the names directly in the folder."""
        filesystem, base = self._remote()
        try:
            return [PurePosixPath(name).name for name in filesystem.ls(base.rstrip("/"), detail=False)]
        except FileNotFoundError:
            return []


def _whole(filesystem: AbstractFileSystem, key: str, data: bytes) -> bytes:
    size = filesystem.info(key)["size"]
    if size is not None and size != len(data):
        raise TimeoutError(f"{len(data)} of {size} bytes were read")
    return data


def _entry(path: str, info: Mapping[str, Any]) -> Entry:
    times = [info[name] for name in _MODIFIED if info.get(name) is not None]
    return Entry(path, int(info.get("size") or 0), _seconds(times[0]) if times else 0.0)


def _seconds(time: object) -> float:
    if isinstance(time, int | float):
        return float(time)
    moment = time if isinstance(time, datetime) else datetime.fromisoformat(str(time))
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
