"""The protocol with one thing wrong: what the search must find. Each changes the real code as little as it can."""

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

    def create(self, path: str, data: bytes) -> bool:
        self.created = True
        return self.real.create(path, data)


class _ChangedStore(ShardStore):
    changed: type[_Changed] = _Changed

    def commit(self, *args: Any, **options: Any) -> Commit:
        self.storage = self.changed(self.storage)
        return super().commit(*args, **options)


class CommitBeforeData(_ChangedStore):
    """The commit object is written first, and then what it names."""

    class changed(_Changed):
        def write(self, path: str, data: bytes) -> None:
            self.written[path] = data

        def size(self, path: str) -> int:
            return len(self.written[path])

        def create(self, path: str, data: bytes) -> bool:
            made = self.real.create(path, data)
            for name, content in self.written.items():
                self.real.write(name, content)
            return made


class LoserDeletes(_ChangedStore):
    """A writer that finds another's commit tidies up after itself, although it has asked for its own before."""

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
    """Whoever finds its shard committed removes all other data files of it."""

    def commit(self, *args: Any, **options: Any) -> Commit:
        commit = super().commit(*args, **options)
        for path in self.storage.list("samples"):
            if path != commit.file.path:
                self.storage.delete(path)
        return commit


class NoSecondLook(_ChangedStore):
    """A writer that was first does not look for its data again."""

    class changed(_Changed):
        def size(self, path: str) -> int:
            return len(self.written[path]) if self.created else self.real.size(path)


class NoSizeCheck(_ChangedStore):
    """An upload without an error is taken for a whole one."""

    class changed(_Changed):
        def size(self, path: str) -> int:
            return len(self.written[path])


class Overwriting(_ChangedStore):
    """The commit is a plain write, as if the last writer knew best."""

    class changed(_Changed):
        def create(self, path: str, data: bytes) -> bool:
            self.real.write(path, data)
            return True


class OneNameForAll(ShardStore):
    """Every attempt writes the same data file."""

    def commit(self, *args: Any, **options: Any) -> Commit:
        with patch("uuid.uuid4", lambda: uuid.UUID(int=0)):
            return super().commit(*args, **options)


def read_by_listing(storage: Storage) -> list[tuple[int, str]]:
    """Read every data file that is there."""
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
    """Take only the newest revision of a shard for committed."""

    def newest(storage: Storage) -> set[str]:
        shards = ShardStore(storage, FINGERPRINT).committed("samples")
        return {commit.file.path for commit in shards.values()}

    with patch.object(garbage, "committed_paths", newest):
        return collect_garbage(storage, AGE_GUARD)
