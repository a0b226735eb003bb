"""One run folder on any store: whole objects in, whole objects out, nothing ever half-written."""

import errno
import os
import threading
import uuid
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit, urlunsplit

from fsspec import AbstractFileSystem
from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from cluster.errors import UserError

_TMP = ".tmp-"
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK)
_CREATE = threading.Lock()  # memory:// checks and puts in two steps


def redact(url: str) -> str:
    """Return the URL without user name, password and query, fit for manifests, messages and reports."""
    if "://" not in url:
        return url
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


class Storage:
    """A run folder, given as a local path or an fsspec URL of an object store.

    All paths are relative POSIX paths below the folder; absolute ones and `..` raise ValueError. Instances are
    picklable and hold no connection: fsspec keeps one per process and thread.
    """

    def __init__(self, url: str) -> None:
        scheme = url.partition("://")[0] if "://" in url else "file"
        is_local = scheme in LocalFileSystem.protocol
        # Workers run in other folders than the driver, so a relative path must not travel.
        self.url: str = LocalFileSystem._strip_protocol(url) if is_local else url.rstrip("/")
        self._root: Path | None = Path(self.url) if is_local else None
        try:
            self._remote()
        except (ImportError, ValueError) as error:
            raise UserError(
                f"cannot open the run folder {redact(url)}: {error}; give a local path or a URL that fsspec knows"
            ) from error

    def _remote(self) -> tuple[AbstractFileSystem, str]:
        # Other processes write to the same folder: a cached listing would be a stale one.
        return url_to_fs(self.url, use_listings_cache=False)

    def _key(self, path: str) -> tuple[AbstractFileSystem, str]:
        filesystem, base = self._remote()
        return filesystem, f"{base.rstrip('/')}/{_checked(path)}"

    def local(self) -> Path | None:
        """Return the absolute local folder, or None when the run lives on a remote store."""
        return self._root

    def uri(self, path: str = "") -> str:
        """Return the full name of a file for people: no credentials in it."""
        return f"{redact(self.url)}/{_checked(path)}" if path else redact(self.url)

    def read(self, path: str) -> bytes:
        """Return the whole object; FileNotFoundError when it does not exist."""
        if self._root is not None:
            return (self._root / _checked(path)).read_bytes()
        filesystem, key = self._key(path)
        return filesystem.cat_file(key)

    def read_many(self, paths: Sequence[str]) -> list[bytes]:
        """Return several objects in the given order, fetched concurrently where the store can."""
        if self._root is not None or not paths:
            return [self.read(path) for path in paths]
        filesystem, _ = self._remote()
        keys = [self._key(path)[1] for path in paths]
        return list(filesystem.cat_ranges(keys, None, None, on_error="raise"))

    def write(self, path: str, data: bytes) -> None:
        """Put the whole object, replacing an older one; on any error readers see what was there before."""
        if self._root is None:
            filesystem, key = self._key(path)
            filesystem.pipe_file(key, data)
            return
        target = self._root / _checked(path)
        temporary = _temporary(target, data)
        try:
            temporary.replace(target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _sync_folder(target.parent)

    def create(self, path: str, data: bytes) -> bool:
        """Put the whole object if none is there: True when this call made it, False when it existed.

        Enforced by the store on local disks, memory and S3 (If-None-Match). A store without such a request only gets
        a check followed by a put; callers stay correct because equal commits have equal content.
        """
        if self._root is not None:
            return _create_local(self._root / _checked(path), data)
        filesystem, key = self._key(path)
        with _CREATE:
            if _is_file(filesystem, key):
                return False
            try:
                filesystem.pipe_file(key, data, mode="create")
            except FileExistsError:
                return False
            except (TypeError, ValueError, NotImplementedError):
                filesystem.pipe_file(key, data)
        return True

    def exists(self, path: str) -> bool:
        """Return whether the object exists."""
        if self._root is not None:
            return (self._root / _checked(path)).is_file()
        filesystem, key = self._key(path)
        return _is_file(filesystem, key)

    def size(self, path: str) -> int:
        """Return the length of the object in bytes."""
        if self._root is not None:
            return (self._root / _checked(path)).stat().st_size
        filesystem, key = self._key(path)
        return int(filesystem.info(key)["size"])

    def delete(self, path: str) -> None:
        """Remove the object; one that is already gone is fine."""
        if self._root is not None:
            (self._root / _checked(path)).unlink(missing_ok=True)
            return
        filesystem, key = self._key(path)
        if _is_file(filesystem, key):
            filesystem.rm_file(key)

    def entries(self) -> list[str]:
        """Return the names directly in the run folder, without hidden ones; [] when it is missing."""
        try:
            if self._root is not None:
                names = [child.name for child in self._root.iterdir()]
            else:
                filesystem, base = self._remote()
                names = [PurePosixPath(name).name for name in filesystem.ls(base, detail=False)]
        except FileNotFoundError:
            return []
        return sorted(name for name in names if name and not name.startswith("."))

    def check_writable(self) -> None:
        """Write, read and delete a probe; UserError with the remedy when the folder refuses any of it."""
        probe = f"{_TMP}{uuid.uuid4().hex}"
        try:
            self.write(probe, b"synfiqa")
            intact = self.read(probe) == b"synfiqa"
            self.delete(probe)
        except Exception as error:
            raise UserError(
                f"cannot write to the run folder {self.uri()} ({_reason(error)}); "
                "check its permissions and your credentials, or choose another folder with --run"
            ) from error
        if not intact:
            raise UserError(f"the run folder {self.uri()} returned other bytes than written; choose another with --run")

    def check_shared(self) -> None:
        """UserError when the run lives in this process alone, where workers cannot see it."""
        if self.url.startswith("memory:"):
            raise UserError("workers are other processes, which cannot see a memory:// run: use a folder or a store")

    def __reduce__(self) -> tuple[type["Storage"], tuple[str]]:
        return Storage, (self.url,)

    def __repr__(self) -> str:
        return f"Storage({self.uri()!r})"

    def prune(self, prefix: str) -> None:
        """Remove a folder that holds no file any more; stores of objects have nothing to remove."""
        if self._root is None:
            return
        top = self._root / _checked(prefix)
        for folder, _, _ in top.walk(top_down=False):
            # A folder that a late writer has just filled stays.
            with suppress(OSError):
                folder.rmdir()

    def list(self, prefix: str = "") -> list[str]:
        """Return every file below a folder, sorted, relative to the run folder; [] when the folder is missing."""
        if self._root is not None:
            top = self._root / _checked(prefix) if prefix else self._root
            walk = top.walk()
            names = [(folder / name).relative_to(self._root).as_posix() for folder, _, files in walk for name in files]
        else:
            filesystem, base = self._remote()
            base = base.rstrip("/") + "/"
            top_key = base + _checked(prefix) + "/" if prefix else base
            found = filesystem.find(top_key.rstrip("/"))
            # An object whose name ends in "/" is a folder marker that other tools leave behind.
            names = [name.removeprefix(base) for name in found if name.startswith(top_key) and not name.endswith("/")]
        return sorted(name for name in names if not PurePosixPath(name).name.startswith(_TMP))


def _checked(path: str) -> str:
    parts = path.split("/")
    if any(part in ("", ".", "..") for part in parts) or "\0" in path or "\\" in path:
        raise ValueError(f"not a relative path inside the run folder: {path!r}")
    return path


def _is_file(filesystem: AbstractFileSystem, key: str) -> bool:
    # fsspec's own isfile() answers False to every error, so that lost credentials would look like a missing object.
    try:
        return bool(filesystem.info(key)["type"] == "file")
    except FileNotFoundError:
        return False


def _reason(error: Exception) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return text.splitlines()[0] if text else type(error).__name__


def _temporary(target: Path, data: bytes) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    path = target.parent / f"{_TMP}{uuid.uuid4().hex}"
    try:
        with path.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path


def _create_local(target: Path, data: bytes) -> bool:
    if target.exists():
        return False
    temporary = _temporary(target, data)
    try:
        os.link(temporary, target)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if target.exists():
            return False
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    _sync_folder(target.parent)
    return True


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
