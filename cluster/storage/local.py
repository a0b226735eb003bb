"""A run folder on a disk: writes a temporary file, flushes it, then renames or links it."""

import errno
import os
import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from synfiqa.cluster.storage.base import TMP, Entry

_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK)


class LocalStore:
    """Files below one absolute folder, which need not exist yet."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def read(self, path: str) -> bytes:
        """Return the whole file."""
        target = self.root / path
        with _missing(target), target.open("rb") as file:
            data = file.read()
            size = os.fstat(file.fileno()).st_size
        if len(data) != size:
            raise TimeoutError(f"{len(data)} of {size} bytes were read")
        return data

    def read_each(self, paths: Sequence[str]) -> list[bytes | Exception]:
        """Read the files one after the other."""
        # A disk gains nothing from concurrency.
        found: list[bytes | Exception] = []
        for path in paths:
            try:
                found.append(self.read(path))
            except Exception as error:
                found.append(error)
        return found

    def read_range(self, path: str, start: int, length: int) -> bytes:
        """Return a part of the file."""
        target = self.root / path
        with _missing(target), target.open("rb") as file:
            file.seek(start)
            return file.read(length)

    def put(self, path: str, data: bytes) -> None:
        """Replace the file by a rename."""
        target = self.root / path
        temporary = _temporary(target, data)
        try:
            temporary.replace(target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _sync_folder(target.parent)

    def put_if_absent(self, path: str, data: bytes) -> bool:
        """Create the file by a hard link, or by a rename where the file system has no hard links."""
        # Of two links to one name a file system lets only one succeed.
        target = self.root / path
        temporary = _temporary(target, data)
        try:
            os.link(temporary, target)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
        _sync_folder(target.parent)
        return True

    def head(self, path: str) -> Entry:
        """Return length and time of the file."""
        target = self.root / path
        with _missing(target):
            status = target.stat()
        if target.is_dir():
            raise FileNotFoundError(errno.ENOENT, "a folder, not a file", str(target))
        return Entry(path, status.st_size, status.st_mtime)

    def delete(self, path: str) -> None:
        """Delete the file; a missing one is no error."""
        target = self.root / path
        with suppress(FileNotFoundError), _missing(target):
            target.unlink()

    def scan(self, prefix: str) -> list[Entry]:
        """List every file below the folder; omits files deleted meanwhile."""
        return list(_walk(self.root / prefix if prefix else self.root, prefix))

    def children(self) -> list[str]:
        """Return the names directly in the folder."""
        with suppress(FileNotFoundError, NotADirectoryError):
            return [child.name for child in self.root.iterdir()]
        return []

    def prune(self, prefix: str) -> None:
        """Remove a folder without files, and the empty folders in it."""
        for folder, _, _ in (self.root / prefix).walk(top_down=False):
            # A folder that another writer has filled meanwhile stays.
            with suppress(OSError):
                folder.rmdir()


class _missing:
    """Turns NotADirectoryError (a path that leads through a file) into FileNotFoundError."""

    def __init__(self, target: Path) -> None:
        self._target = target

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, NotADirectoryError):
            raise FileNotFoundError(errno.ENOENT, "no such file", str(self._target)) from error


def _walk(folder: Path, prefix: str) -> Iterator[Entry]:
    # Only a folder deleted meanwhile counts as empty; other errors are raised.
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as children:
        for child in children:
            path = f"{prefix}/{child.name}" if prefix else child.name
            if child.is_dir(follow_symlinks=False):
                yield from _walk(folder / child.name, path)
                continue
            with suppress(FileNotFoundError):
                status = child.stat()
                yield Entry(path, status.st_size, status.st_mtime)


def _temporary(target: Path, data: bytes) -> Path:
    path = target.parent / f"{TMP}{uuid.uuid4().hex}"
    while True:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except FileExistsError as error:
            raise NotADirectoryError(errno.ENOTDIR, "a file stands where a folder should be", str(target)) from error
        try:
            file = path.open("xb")
            break
        except FileNotFoundError:
            # Another worker has pruned the empty folder meanwhile.
            continue
    try:
        with file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
