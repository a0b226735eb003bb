"""Writers, readers and gc as programs over a `Storage`, and the invariants of the commit protocol."""

import functools
import hashlib
from collections.abc import Callable, Sequence

import pyarrow as pa

from synfiqa.cluster.commits.shard_formats import content_digest
from synfiqa.cluster.commits.shard_store import ShardStore, commit_path, parse_commit_path
from synfiqa.cluster.storage.storage import Storage
from synfiqa.cluster.upkeep.garbage import collect_garbage
from synfiqa.schemas.errors import JobFailed
from synfiqa.schemas.manifest import Commit, DataFile, DeadRow
from synfiqa.schemas.rows import SAMPLES
from tests.cluster.protocol.explorer import Actor, Invariants
from tests.cluster.protocol.model_store import World

FINGERPRINT = "f" * 64
AGE_GUARD = 1.0
"""Age guard of gc: one step of the model's clock."""


@functools.cache
def rows(content: str) -> pa.Table:
    """Return one sample; `content` distinguishes the rows of different attempts."""
    row = dict.fromkeys(SAMPLES.names) | {"sample_id": content, "identity": 0, "kind": "degraded", "index": 0}
    return pa.Table.from_pylist([row], schema=SAMPLES)


def writer(
    name: str,
    *,
    content: str = "made",
    revision: int = 0,
    dead: Sequence[DeadRow] = (),
    store: type[ShardStore] = ShardStore,
) -> Actor:
    """Return a worker, retry or replaced worker that has made shard 0 and commits it."""

    def program(storage: Storage) -> Commit:
        counts = {"planned": 1 + len(dead), "accepted": 1, "rejected": 0, "dead": len(dead)}
        return store(storage, FINGERPRINT).commit("samples", 0, rows(content), counts, dead=dead, revision=revision)

    return Actor(name, "writer", program, kind=(content, revision, tuple(row.item for row in dead), store))


def replay(name: str, *, content: str = "repaired", store: type[ShardStore] = ShardStore) -> Actor:
    """Return a worker that commits the next revision of shard 0 if the shard is committed."""

    def program(storage: Storage) -> Commit | None:
        shards = store(storage, FINGERPRINT)
        if 0 not in shards.committed("samples"):
            return None
        return shards.commit("samples", 0, rows(content), {}, revision=1)

    return Actor(name, "writer", program, kind=("replay", content, store))


def reader(name: str = "reader") -> Actor:
    """Return a label pass, training or export: it reads what the commits name."""

    def program(storage: Storage) -> list[tuple[int, str]]:
        store = ShardStore(storage, FINGERPRINT)
        commits = store.committed("samples").values()
        return [(commit.number, content_digest(store.read(commit))) for commit in commits]

    return Actor(name, "reader", program)


def collector(name: str = "gc", collect: Callable[[Storage], object] | None = None) -> Actor:
    """Return `synfiqa gc`, or a changed version of it."""
    return Actor(name, "gc", collect or (lambda storage: collect_garbage(storage, AGE_GUARD)))


def invariants(
    *, strict: bool = True, frozen: bool = False, loud: bool = False, contents: Sequence[str] = ("made",)
) -> Invariants:
    """Return the invariants of promise 2 (docs/architecture.md).

    strict: in no state a commit is visible without its data; otherwise in no final state.
    frozen: a commit keeps every byte, as on a store that enforces create-if-absent; otherwise its content.
    loud: a writer may fail with an error as long as nothing is lost: its job runs again.
    contents: rows that attempts at the shard may make.
    """
    allowed = [{content_digest(rows(content)) for content in contents}, {content_digest(rows("repaired"))}]

    def commit_of(world: World, path: str) -> Commit:
        return _commit(world.files()[path])

    def sound(world: World) -> str | None:
        for path in _commits(world):
            commit = commit_of(world, path)
            if commit.content_sha256 not in allowed[commit.revision]:
                return f"{path} names content that no attempt makes"
            for file in (commit.file, commit.dead):
                if file is not None and (broken := _broken(world, file)):
                    return f"{path} names {file.path}, which {broken}"
        return None

    def change(old: World, new: World) -> str | None:
        for path in _commits(old):
            if path not in new.files():
                return f"{path} has vanished"
            if frozen and new.files()[path] != old.files()[path]:
                return f"{path} has changed"
            if commit_of(new, path).content_sha256 != commit_of(old, path).content_sha256:
                return f"{path} has changed to other content"
        return None

    def result(actor: Actor, result: object, world: World) -> str | None:
        if isinstance(result, Exception):
            if loud and actor.role == "writer" and isinstance(result, JobFailed):
                return None
            return f"{actor.name} failed: {result}"
        if isinstance(result, Commit) and commit_path("samples", 0, result.revision) not in world.files():
            return f"{actor.name} returned, but its shard is not committed"
        if actor.role == "reader":
            assert isinstance(result, list), "readers return what they read"
            return _misread(actor, result, world)
        return None

    def _misread(actor: Actor, read: list[tuple[int, str]], world: World) -> str | None:
        if len({number for number, _ in read}) < len(read):
            return f"{actor.name} has read a shard twice"
        committed = {commit_of(world, path).content_sha256 for path in _commits(world)}
        if any(content not in committed for _, content in read):
            return f"{actor.name} has read what no commit names"
        return None

    return Invariants(world=sound if strict else (lambda world: None), change=change, result=result, end=sound)


def _commits(world: World) -> list[str]:
    return [path for path in world.files() if parse_commit_path(path)]


@functools.cache
def _commit(data: bytes) -> Commit:
    return Commit.model_validate_json(data)


def _broken(world: World, file: DataFile) -> str | None:
    data = world.files().get(file.path)
    if data is None:
        return "is not there"
    if len(data) != file.bytes:
        return "is short"
    return None if _sha256(data) == file.sha256 else "has other bytes"


@functools.cache
def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
