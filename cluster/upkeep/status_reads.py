"""Fast reads of a run folder for status, from local disks without the retries of `Storage`."""

# The retries cost more than the reads themselves. A read that fails is repeated through Storage, which classifies the
# error.

import os
from collections.abc import Sequence

from synfiqa.cluster.commits.commit_index import read_records
from synfiqa.cluster.storage.storage import Storage

_CHUNK = 1 << 16


def file_names(storage: Storage, folder: str) -> list[str]:
    """Return the paths of the files in a folder, in any order."""
    root = storage.local()
    if root is None:
        return storage.list(folder)
    try:
        with os.scandir(root / folder) as children:
            return [f"{folder}/{child.name}" for child in children]
    except OSError:
        return storage.list(folder)


def read_commits(storage: Storage, paths: Sequence[str]) -> list[bytes]:
    """Return the contents of commits in the given order; on a remote store from an index where there is one."""
    root = storage.local()
    if root is None:
        listed = {entry.path: entry for entry in storage.stat("commits")}
        return read_records(storage, [listed[path] for path in paths], [])
    return [_read_local(storage, f"{root}/{path}", path) for path in paths]


def _read_local(storage: Storage, name: str, path: str) -> bytes:
    try:
        handle = os.open(name, os.O_RDONLY)
        try:
            data = os.read(handle, _CHUNK)
        finally:
            os.close(handle)
    except OSError:
        return storage.read(path)
    return data if len(data) < _CHUNK else storage.read(path)


def times_of(storage: Storage, paths: Sequence[str]) -> list[float]:
    """Return the modification times of commits in Unix seconds, in any order."""
    root = storage.local()
    if root is None:
        wanted = set(paths)
        return [entry.modified for entry in storage.stat("commits") if entry.path in wanted]
    return [(root / path).stat().st_mtime for path in paths]


def subfolders(storage: Storage, folder: str) -> list[str]:
    """Return the sorted names of the folders in a folder."""
    root = storage.local()
    if root is None:
        return sorted({path.split("/")[1] for path in storage.list(folder) if path.count("/") > 1})
    try:
        return sorted(child.name for child in (root / folder).iterdir() if child.is_dir())
    except OSError:
        return []
