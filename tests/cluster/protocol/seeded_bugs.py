"""Seeded bugs of the commit protocol, each a minimal change of the real code, that the search must find."""

import uuid
from contextlib import suppress
from typing import Any
from unittest.mock import patch

from synfiqa.cluster.commits.shard_formats import content_digest, decode
from synfiqa.cluster.commits.shard_store import ShardStore
from synfiqa.cluster.storage.storage import Storage
from synfiqa.cluster.upkeep import garbage
from synfiqa.cluster.upkeep.garbage import collect_garbage, committed_paths
from synfiqa.schemas.manifest import Commit
from tests.cluster.protocol.actors import AGE_GUARD, FINGERPRINT


class _Changed:
    """A `Storage` with some operations changed."""

    def __init__(self, storage: Storage) -> None:
        self.real = storage
        self.written: dict[str, bytes] = {}
        self.created = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def write(self, path: str, data: bytes) -> None:
        self.written[path] = data
        self.real.write(path, data)

    def write_unique(self, path: str, data: bytes) -> str:
        name = self.real.write_unique(path, data)
        self.written[name] = data
        return name

    def create(self, path: str, data: bytes) -> bool:
        self.created = True
        return self.real.create(path, data)


class _ChangedStore(ShardStore):
    changed: type[_Changed] = _Changed

    def commit(self, *args: Any, **options: Any) -> Commit:
        self.storage = self.changed(self.storage)
        return super().commit(*args, **options)


class CommitBeforeData(_ChangedStore):
    """Writes the commit object before its data."""

    class changed(_Changed):
        def write_unique(self, path: str, data: bytes) -> str:
            name = path.replace(".", f"-{uuid.uuid4().hex[:12]}.")
            self.written[name] = data
            return name

        def size(self, path: str) -> int:
            return len(self.written[path])

        def create(self, path: str, data: bytes) -> bool:
            made = self.real.create(path, data)
            for name, content in self.written.items():
                self.real.write(name, content)
            return made


class LoserDeletes(_ChangedStore):
    """Deletes its own data when another commit exists, although its own commit request may still arrive."""

    class changed(_Changed):
        def create(self, path: str, data: bytes) -> bool:
            while not self.real.exists(path):
                with suppress(TimeoutError):
                    return self.real._store.put_if_absent(path, data)
            return False

    def commit(self, *args: Any, **options: Any) -> Commit:
        commit = super().commit(*args, **options)
        for path in self.storage.written:
            if path != commit.file.path:
                self.storage.delete(path)
        return commit


class WinnerSweeps(_ChangedStore):
    """Removes all other data files of a committed shard."""

    def commit(self, *args: Any, **options: Any) -> Commit:
        commit = super().commit(*args, **options)
        for path in self.storage.list("samples"):
            if path != commit.file.path:
                self.storage.delete(path)
        return commit


class NoSecondLook(_ChangedStore):
    """Does not check for its data after its commit."""

    class changed(_Changed):
        def size(self, path: str) -> int:
            return len(self.written[path]) if self.created else self.real.size(path)


class NoSizeCheck(_ChangedStore):
    """Does not check the size of an upload."""

    class changed(_Changed):
        def size(self, path: str) -> int:
            return len(self.written[path])


class Overwriting(_ChangedStore):
    """Writes the commit unconditionally, so that the last writer wins."""

    class changed(_Changed):
        def create(self, path: str, data: bytes) -> bool:
            self.real.write(path, data)
            return True


class OneNameForAllTries(_ChangedStore):
    """Repeats a failed upload under the same name."""

    class changed(_Changed):
        def write_unique(self, path: str, data: bytes) -> str:
            name = path.replace(".", f"-{uuid.uuid4().hex[:12]}.")
            self.write(name, data)
            return name


class OneNameForAll(ShardStore):
    """Uses one data file name for all attempts."""

    def commit(self, *args: Any, **options: Any) -> Commit:
        with patch("uuid.uuid4", lambda: uuid.UUID(int=0)):
            return super().commit(*args, **options)


def read_by_listing(storage: Storage) -> list[tuple[int, str]]:
    """Read every data file, committed or not."""
    paths = storage.list("samples")
    return [(int(path[14:20]), content_digest(decode(storage.read(path), "parquet"))) for path in paths]


def collect_without_guard(storage: Storage) -> object:
    """Remove what no commit names, however young."""
    return collect_garbage(storage, 0.0)


def collect_commits_first(storage: Storage) -> object:
    """Read the commits before the files are listed."""
    named = committed_paths(storage)
    with patch.object(garbage, "committed_paths", lambda storage: named):
        return collect_garbage(storage, AGE_GUARD)


def collect_superseded(storage: Storage) -> object:
    """Treat only the newest revision of a shard as committed."""

    def newest(storage: Storage) -> set[str]:
        shards = ShardStore(storage, FINGERPRINT).committed("samples")
        return {commit.file.path for commit in shards.values()}

    with patch.object(garbage, "committed_paths", newest):
        return collect_garbage(storage, AGE_GUARD)
