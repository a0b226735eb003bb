"""A run folder on any store: atomic reads and writes of whole objects, retries, classified errors."""

import re
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from fsspec.implementations.local import LocalFileSystem

from synfiqa.cluster.storage.base import TMP, Entry, Store
from synfiqa.cluster.storage.faults import fault_of
from synfiqa.cluster.storage.fsspec import FsspecStore
from synfiqa.cluster.storage.local import LocalStore
from synfiqa.cluster.storage.retrying import Retrying
from synfiqa.cluster.storage.url_spelling import intended_url
from synfiqa.cluster.telemetry.run_metrics import timed_request
from synfiqa.schemas.errors import UserError

__all__ = ["Entry", "Storage", "redact", "redact_all"]

SETTLE_S = 0.5
"""Seconds after a repeated create until the object is checked again."""

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S+")

_WITH_CONTAINER = ("abfs", "abfss")

_EXTRAS = {
    **dict.fromkeys(("gs", "gcs"), "gcs"),
    **dict.fromkeys(("abfs", "abfss", "az"), "azure"),
}
"""Schemes of stores whose client comes with an extra of this package."""

_TO_FOLDER = {"read": "read from", "write": "write to", "delete": "delete in", "list": "list"}


def redact(url: str) -> str:
    """Return the URL without user name, password and query, for manifests, messages and reports."""
    scheme, mark, rest = url.partition("://")
    if not mark:
        return url
    # What stands before the @ of Azure's URLs is the container.
    if scheme in _WITH_CONTAINER and ":" not in rest.partition("/")[0]:
        return urlunsplit((scheme, *urlsplit(f"{scheme}://{rest}")[1:3], "", ""))
    # A slash inside a secret ends the authority early: all text before the last @ may belong to the secret.
    if ":" in rest.partition("/")[0]:
        rest = rest.rpartition("@")[2]
    parts = urlsplit(f"{scheme}://{rest}")
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def redact_all(value: Any) -> Any:
    """Return a JSON document with every URL in its texts redacted."""
    if isinstance(value, Mapping):
        return {key: redact_all(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [redact_all(item) for item in value]
    return _URL.sub(lambda found: redact(found[0]), value) if isinstance(value, str) else value


class Storage:
    """Run folder, given as a local path or an fsspec URL of an object store.

    All paths are relative POSIX paths below the folder; absolute ones and `..` raise ValueError. A request that fails
    transiently is repeated for `retry_budget_s` seconds, then StorageUnavailable; one that is refused raises
    StorageRefused at once. Instances are picklable and hold no connection.
    """

    def __init__(self, url: str, retry_budget_s: float = 300.0) -> None:
        _refuse_unreadable(url)
        _refuse_misspelt(url)
        scheme = url.partition("://")[0] if "://" in url else "file"
        is_local = scheme in LocalFileSystem.protocol
        # Workers run in other folders than the driver, so a relative path must not travel.
        self.url: str = LocalFileSystem._strip_protocol(url) if is_local else url.rstrip("/")
        self.retry_budget_s = retry_budget_s
        self._local = LocalStore(Path(self.url)) if is_local else None
        self._retrying = Retrying(retry_budget_s)
        try:
            self._store: Store = self._local or self._remote(scheme)
        except ImportError as error:
            raise UserError(_not_installed(url, scheme, error)) from error
        except ValueError as error:
            raise UserError(
                f"cannot open the run folder {redact(url)}: {error}; give a local path or a URL that fsspec supports"
            ) from error

    def _remote(self, scheme: str) -> Store:
        if scheme not in ("s3", "s3a"):
            return FsspecStore(self.url)
        # The client takes most of a second to import; runs on a disk do not need it.
        from synfiqa.cluster.storage.s3 import S3Store

        return S3Store(self.url, self._retrying)

    def _try[T](self, verb: str, request: Callable[[], T], path: str = "") -> T:
        # Names of probes are random: the error concerns the folder.
        name = f"{_TO_FOLDER[verb]} the run folder {self.uri()}" if path.startswith(TMP) else f"{verb} {self.uri(path)}"
        return self._retrying.call(lambda: timed_request(verb, request), f"cannot {name}")

    def local(self) -> Path | None:
        """Return the absolute local folder, or None when the run lives on a remote store."""
        return self._local.root if self._local else None

    def uri(self, path: str = "") -> str:
        """Return the full URL of a file without credentials, for messages."""
        return f"{redact(self.url)}/{_checked(path)}" if path else redact(self.url)

    def read(self, path: str) -> bytes:
        """Return the whole object; FileNotFoundError when it does not exist."""
        path = _checked(path)
        return self._try("read", lambda: self._store.read(path), path)

    def read_many(self, paths: Sequence[str]) -> list[bytes]:
        """Return several objects in the given order, fetched concurrently where the store can."""
        names = [f"cannot read {self.uri(_checked(path))}" for path in paths]

        def read_each(some: Sequence[str]) -> Sequence[bytes | Exception]:
            return timed_request("read_batch", lambda: self._store.read_each(some))

        return self._retrying.each(read_each, list(paths), names)

    def read_range(self, path: str, start: int, length: int) -> bytes:
        """Return exactly so many bytes, at least one; FileNotFoundError without object, EOFError when it is shorter."""
        path = _checked(path)

        def attempt() -> bytes | None:
            data = self._store.read_range(path, start, length)
            if len(data) == length:
                return data
            if self._store.head(path).bytes < start + length:
                return None
            raise TimeoutError(f"{len(data)} of {length} bytes were read")

        found = self._try("read", attempt, path)
        # An EOFError inside an attempt would count as a lost connection, and be tried again.
        if found is None:
            raise EOFError(f"it ends before byte {start + length}")
        return found

    def write(self, path: str, data: bytes) -> None:
        """Write or replace the whole object; after an error readers see the previous content."""
        path = _checked(path)
        self._try("write", lambda: self._store.put(path, data), path)

    def write_unique(self, path: str, data: bytes) -> str:
        """Write the whole object as `a/b-<12 hex digits>.c` for the path `a/b.c`, and return its name.

        Each attempt has a name of its own: a request that failed may still be executed later, and some servers then
        store a part of the object, or remove it (rclone does both when it detects that an upload was cut).
        """
        stem, dot, suffix = _checked(path).rpartition(".")

        def attempt() -> str:
            name = f"{stem}-{uuid.uuid4().hex[:12]}{dot}{suffix}"
            self._store.put(name, data)
            return name

        return self._try("write", attempt, path)

    def create(self, path: str, data: bytes) -> bool:
        """Write the whole object if none exists; return True when this call made it, False when it existed.

        Enforced by local disks, memory and stores with conditional writes (S3's If-None-Match), see `enforces_create`.
        Other stores get a check followed by a put; callers stay correct because equal commits have equal content. Two
        simultaneous calls with the same bytes may both return True.
        """
        path = _checked(path)
        tries = 0

        def attempt() -> bool:
            nonlocal tries
            unsure = tries > 0
            if self._is_there(path) and not unsure:
                return False
            tries += 1
            if self._store.put_if_absent(path, data):
                return True
            # The answer to an earlier request, ours or one that the client library repeated, may have been lost.
            return self._store.read(path) == data

        made = self._try("write", attempt, path)
        if made and tries > 1:
            # Some servers detect a cut upload late and then remove the object of the following one.
            time.sleep(SETTLE_S)
            if not self.exists(path):
                return self.create(path, data)
        return made

    def exists(self, path: str) -> bool:
        """Return whether the object exists."""
        path = _checked(path)
        return self._try("read", lambda: self._is_there(path), path)

    def size(self, path: str) -> int:
        """Return the length of the object in bytes."""
        path = _checked(path)
        return self._try("read", lambda: self._store.head(path), path).bytes

    def delete(self, path: str) -> None:
        """Delete the object; a missing one is no error."""
        path = _checked(path)
        self._try("delete", lambda: self._store.delete(path), path)

    def entries(self) -> list[str]:
        """Return the sorted names directly in the run folder, without hidden ones; [] when it is missing."""
        return sorted(name for name in self._try("list", self._store.children) if name and not name.startswith("."))

    def stat(self, prefix: str = "") -> list[Entry]:
        """Return every file below a folder with length and time, sorted by path, `.tmp-` files too.

        [] when the folder is missing. Compare the times with `now()`, never with this machine's clock.
        """
        prefix = _checked(prefix) if prefix else ""
        return sorted(self._try("list", lambda: self._store.scan(prefix), prefix))

    def list(self, prefix: str = "") -> list[str]:
        """Return every file below a folder, sorted, relative to the run folder; [] when the folder is missing."""
        return [entry.path for entry in self.stat(prefix) if not PurePosixPath(entry.path).name.startswith(TMP)]

    def now(self) -> float:
        """Return the time by the store's own clock in Unix seconds, measured by writing a probe."""
        folder = self._probe()
        probe = f"{folder}/{TMP}clock"
        self.write(probe, b"synfiqa")
        try:
            # From a listing, as in `stat`: HEAD requests round the time to a second.
            listed = self.stat(folder)
            return (listed[0] if listed else self._try("read", lambda: self._store.head(probe), probe)).modified
        finally:
            self.delete(probe)
            self.prune(folder)

    def enforces_create(self) -> bool:
        """Return whether the store itself refuses a second create of one name, measured with a probe."""
        probe = self._probe()
        try:
            self._try("write", lambda: self._store.put_if_absent(probe, b"first"), probe)
            return not self._try("write", lambda: self._store.put_if_absent(probe, b"second"), probe)
        finally:
            self.delete(probe)

    @property
    def in_memory(self) -> bool:
        """Whether the run is in the memory of this process, so that no other process can read it."""
        return self.url.startswith("memory:")

    def check_shared(self) -> None:
        """Raise UserError when the run is in the memory of this process, which workers cannot read."""
        if self.in_memory:
            raise UserError(
                "workers are other processes, which cannot read a memory:// run: use a folder or an object store"
            )

    def prune(self, prefix: str) -> None:
        """Remove a folder without files; object stores have no folders to remove."""
        prefix = _checked(prefix)
        if self._local:
            self._local.prune(prefix)

    def _is_there(self, path: str) -> bool:
        try:
            self._store.head(path)
        except FileNotFoundError as error:
            # A missing bucket is an error; a missing object is not.
            if fault_of(error) is not None:
                raise
            return False
        return True

    def _probe(self) -> str:
        return f"{TMP}{uuid.uuid4().hex}"

    def __reduce__(self) -> tuple[type["Storage"], tuple[str, float]]:
        return Storage, (self.url, self.retry_budget_s)

    def __repr__(self) -> str:
        return f"Storage({self.uri()!r})"


def _not_installed(url: str, scheme: str, error: ImportError) -> str:
    extra = _EXTRAS.get(scheme)
    if extra is None:
        return f"cannot open the run folder {redact(url)}: {error}; give a local path or a URL that fsspec supports"
    return (
        f"cannot open the run folder {redact(url)}: the client of this store is not installed; run "
        f"`uv sync --extra {extra}` in the checkout, or `pip install 'synfiqa[{extra}]'`, on every node"
    )


def _refuse_unreadable(url: str) -> None:
    # Python stands in so for bytes that are no characters in its locale; other programs then see another name.
    if any("\ud800" <= character <= "\udfff" for character in url):
        raise UserError(
            f"the path {url!r} cannot be read in the locale of this process: set LC_ALL=C.UTF-8, or PYTHONUTF8=1, and "
            "run the same command again"
        )


def _refuse_misspelt(url: str) -> None:
    if (intended := intended_url(url)) is not None:
        raise UserError(
            f"the URL is misspelt: write {redact(intended)}, or begin the path with ./ if it is that of a local folder"
        )


def _checked(path: str) -> str:
    parts = path.split("/")
    if any(part in ("", ".", "..") for part in parts) or "\0" in path or "\\" in path:
        raise ValueError(f"not a relative path inside the run folder: {path!r}")
    return path
