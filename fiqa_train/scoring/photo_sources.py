"""Finds the photographs that a command names: files, folders, patterns, lists, archives, tables and object stores."""

import glob
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path, PurePosixPath

from synfiqa.cluster.storage.storage import Storage
from synfiqa.fiqa_train.scoring.archives import parquet_photos, tar_photos
from synfiqa.fiqa_train.scoring.kinds import (
    LISTS,
    PARQUET,
    SIGNATURE_BYTES,
    SUFFIXES,
    TARS,
    is_hidden,
    is_image,
    suffix_of,
)
from synfiqa.fiqa_train.scoring.path_lists import listed_paths
from synfiqa.fiqa_train.scoring.photo_list import Photo, PhotoList, printable
from synfiqa.fiqa_train.scoring.store_file import StoreFile
from synfiqa.schemas.errors import UserError

HIDDEN, NO_SUFFIX, LINKED_AGAIN = "hidden", "without suffix", "folder linked again"
_SINGLE_FILES = ("http", "https")
"""Schemes of stores that cannot be listed."""


def find_photos(paths: Sequence[str | Path]) -> PhotoList:
    """List the photographs that are named, in that order, sorted within each folder, none twice.

    Each path is a file, a folder, a pattern (`*`, `?`, `[...]`, `**`), a list (.txt or .csv, a path a line), a tar, a
    Parquet file with an image column, or the URL of any of them; `~` is the home folder. Folders are searched for
    files with the suffix of an image, and for files without suffix that begin like one; others are counted by kind.
    UserError when a path does not exist or nothing is found.
    """
    finder = _Finder()
    for path in paths:
        finder.add(os.fspath(path))
    if not finder.found:
        left_out = PhotoList([], finder.skipped).skipped_sentence()
        raise UserError(
            f"there is no photograph in {', '.join(printable(str(path)) for path in paths)}: name files, or folders "
            f"with images{f' ({left_out})' if left_out else ''}"
        )
    return PhotoList(list(finder.found.values()), finder.skipped)


def read_file(path: Path) -> bytes:
    """Return the bytes of a local file; ValueError where it is no regular file, which may never end."""
    if path.exists() and not path.is_file():
        raise ValueError("it is no regular file")
    return path.read_bytes()


def file_photo(path: Path) -> Photo:
    """Return the photograph that a local file holds."""
    return Photo(printable(str(path)), partial(read_file, path), path)


class _Finder:
    """Photographs found so far by what is the same photograph, and files left out by kind."""

    def __init__(self) -> None:
        self.found: dict[str, Photo] = {}
        self.skipped: Counter[str] = Counter()

    def add(self, name: str) -> None:
        """Add what a path, a pattern or a URL names."""
        if "://" in name and not name.startswith("file://"):
            self._add_url(name)
            return
        path = Path(name.removeprefix("file://")).expanduser()
        if path.is_dir():
            self._add_folder(path)
        elif os.path.lexists(path):
            self._add_file(path)
        elif glob.has_magic(str(path)):
            matches = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207 - Path.glob takes no absolute pattern
            if not matches:
                raise UserError(f"nothing matches {printable(name)}: name photographs or folders of them")
            for match in matches:
                self.add(match)
        else:
            raise UserError(f"{printable(str(path))} does not exist: name photographs or folders of them")

    def _keep(self, photo: Photo, key: str | None = None) -> None:
        self.found.setdefault(key or photo.name, photo)

    def _add_file(self, path: Path) -> None:
        """Add a file that is named outright: what it lists or holds, or itself, whatever its suffix."""
        suffix = suffix_of(path.name)
        if path.is_file() and suffix in TARS:
            for photo in tar_photos(lambda: path.open("rb"), printable(str(path)), path, self.skipped):
                self._keep(photo)
        elif path.is_file() and suffix in PARQUET:
            for photo in parquet_photos(lambda: path.open("rb"), printable(str(path)), path):
                self._keep(photo)
        elif path.is_file() and suffix in LISTS and (listed := listed_paths(path)):
            for line in listed:
                self._add_listed(line, path.parent)
        else:
            self._keep(file_photo(path), os.path.abspath(path))  # noqa: PTH100 - links stay, ".." does not

    def _add_listed(self, line: str, folder: Path) -> None:
        """Add a path of a list; one that does not exist becomes a row with the reason."""
        if "://" in line:
            self._add_url(line)
            return
        path = Path(line).expanduser()
        if not path.exists() and not path.is_absolute() and (folder / path).exists():
            path = folder / path
        if path.is_dir():
            self._add_folder(path)
        else:
            self._keep(file_photo(path), os.path.abspath(path))  # noqa: PTH100

    def _add_folder(self, folder: Path) -> None:
        for path in sorted(self._walk(folder)):
            kind = _kind_left_out(path.name, partial(_start_of, path))
            if kind:
                self.skipped[kind] += 1
            else:
                self._keep(file_photo(path), os.path.abspath(path))  # noqa: PTH100

    def _walk(self, folder: Path) -> Iterator[Path]:
        """Yield the files below a folder and below the folders that are linked in it, each folder once."""
        seen: set[tuple[int, int]] = set()
        for inside, folders, names in folder.walk(follow_symlinks=True):
            for name in list(folders):
                status = (inside / name).stat()
                if (status.st_dev, status.st_ino) in seen or (inside / name).resolve() in inside.resolve().parents:
                    folders.remove(name)
                    self.skipped[LINKED_AGAIN] += 1
                seen.add((status.st_dev, status.st_ino))
            yield from (inside / name for name in names)

    def _add_url(self, url: str) -> None:
        """Add the object, the objects below a prefix, or those that match a pattern, of an object store."""
        base, pattern = _split_pattern(url)
        parent, _, name = base.rstrip("/").rpartition("/")
        single = url.partition("://")[0] in _SINGLE_FILES
        if not pattern and not parent.endswith(":/") and (single or Storage(parent).exists(name)):
            self._add_object(Storage(parent), name, outright=True)
            return
        store = Storage(base)
        objects = [path for path in store.list() if not pattern or _matches(path, pattern)]
        if not objects:
            raise UserError(f"there is no object {store.uri()}{f'/{pattern}' if pattern else ''}: correct the URL")
        for path in objects:
            self._add_object(store, path, outright=bool(pattern))

    def _add_object(self, store: Storage, path: str, outright: bool) -> None:
        name, suffix = printable(store.uri(path)), suffix_of(path)
        if outright and suffix in TARS:
            for photo in tar_photos(lambda: StoreFile(store, path), name, None, self.skipped):
                self._keep(photo)
        elif outright and suffix in PARQUET:
            for photo in parquet_photos(lambda: StoreFile(store, path), name, None):
                self._keep(photo)
        elif kind := "" if outright else _kind_left_out(path, lambda: _start_of_object(store, path)):
            self.skipped[kind] += 1
        else:
            self._keep(Photo(name, partial(store.read, path)))


def _kind_left_out(name: str, start: Callable[[], bytes]) -> str:
    """Return the kind of a file in a folder that is no photograph, else ""; `start` returns its first bytes."""
    suffix = suffix_of(name)
    if is_hidden(name):
        return HIDDEN
    if suffix in SUFFIXES:
        return ""
    if suffix:
        return suffix
    return "" if is_image(start()) else NO_SUFFIX


def _start_of(path: Path) -> bytes:
    try:
        if not path.is_file():
            return b""
        with path.open("rb") as file:
            return file.read(SIGNATURE_BYTES)
    except OSError:
        return b""


def _start_of_object(store: Storage, path: str) -> bytes:
    return store.read_range(path, 0, SIGNATURE_BYTES) if store.size(path) >= SIGNATURE_BYTES else b""


def _split_pattern(url: str) -> tuple[str, str]:
    """Split a URL before its first part with a wildcard; the second half is "" when there is none."""
    scheme, _, rest = url.partition("://")
    parts = rest.split("/")
    first = next((index for index, part in enumerate(parts) if index and glob.has_magic(part)), len(parts))
    return f"{scheme}://{'/'.join(parts[:first])}", "/".join(parts[first:])


def _matches(path: str, pattern: str) -> bool:
    """Return whether a path fits a pattern whose `*` stay within a folder and whose `**` do not."""
    if "**" in pattern:
        return fnmatchcase(path, pattern.replace("**/", "*").replace("**", "*"))
    wanted = pattern.split("/")
    parts = PurePosixPath(path).parts
    return len(parts) == len(wanted) and all(fnmatchcase(part, want) for part, want in zip(parts, wanted, strict=True))
