"""A run folder on any store that fsspec knows and that has no module of its own here: memory, SFTP, GCS, Azure."""

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
    """The objects below one URL. It holds no connection: fsspec keeps one per process."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._remote()

    def _remote(self) -> tuple[AbstractFileSystem, str]:
        # Other processes write to the same folder: a cached listing would be a stale one.
        filesystem, base = url_to_fs(self._url, use_listings_cache=False)
        return filesystem, base.rstrip("/") + "/"

    def read(self, path: str) -> bytes:
        """Return the whole object, its length compared with the one that the store names."""
        filesystem, base = self._remote()
        return _whole(filesystem, base + path, filesystem.cat_file(base + path))

    def read_each(self, paths: Sequence[str]) -> list[bytes | Exception]:
        """Read concurrently where the client can."""
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

    def put(self, path: str, data: bytes) -> None:
        """Put the whole object in one call: an fsspec `open` block would publish a part of it on an exception."""
        filesystem, base = self._remote()
        filesystem.pipe_file(base + path, data)

    def put_if_absent(self, path: str, data: bytes) -> bool:
        """Put the object with the create mode of the client; a plain put where it has none."""
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
        """Return length and time of an object."""
        filesystem, base = self._remote()
        # fsspec's own isfile() answers False to every error: lost credentials would look like a missing object.
        info = filesystem.info(base + path)
        if info["type"] != "file":
            raise FileNotFoundError(base + path)
        return _entry(path, info)

    def delete(self, path: str) -> None:
        """Remove the object if it is there."""
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
        # An object whose name ends in "/" is a folder marker that other tools leave behind.
        return [
            _entry(name.removeprefix(base), info)
            for name, info in found.items()
            if name.startswith(top) and not name.endswith("/")
        ]

    def children(self) -> list[str]:
        """List the folder itself."""
        filesystem, base = self._remote()
        try:
            return [PurePosixPath(name).name for name in filesystem.ls(base.rstrip("/"), detail=False)]
        except FileNotFoundError:
            return []


def _whole(filesystem: AbstractFileSystem, key: str, data: bytes) -> bytes:
    size = filesystem.info(key)["size"]
    if size is not None and size != len(data):
        raise TimeoutError(f"{len(data)} of {size} bytes came")
    return data


def _entry(path: str, info: Mapping[str, Any]) -> Entry:
    times = [info[name] for name in _MODIFIED if info.get(name) is not None]
    return Entry(path, int(info.get("size") or 0), _seconds(times[0]) if times else 0.0)


def _seconds(time: object) -> float:
    if isinstance(time, int | float):
        return float(time)
    moment = time if isinstance(time, datetime) else datetime.fromisoformat(str(time))
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
