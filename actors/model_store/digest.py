"""SHA-256 of weights: of a file, or of a folder as one digest over the digests of its files."""

import errno
import hashlib
from collections.abc import Iterable
from pathlib import Path

_BLOCK = 1 << 22


def file_digest(path: Path) -> str:
    """Return the SHA-256 (hex) of a file, read in blocks."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def folder_files(folder: Path) -> list[Path]:
    """Return the files of a folder that count, sorted by their path in it; hidden ones and their like do not."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in files if not any(part.startswith(".") for part in path.relative_to(folder).parts))


def weights_digest(path: Path) -> str:
    """Return the digest that a card states: of the file, or over `digest  path` lines of the folder's files.

    FileNotFoundError when there is no file at all: nothing has a digest too, and would agree with itself.
    """
    if path.is_file():
        return file_digest(path)
    files = folder_files(path)
    if not files:
        raise FileNotFoundError(errno.ENOENT, "no such file, or a folder without files", str(path))
    return folder_digest((file.relative_to(path).as_posix(), file_digest(file)) for file in files)


def folder_digest(files: Iterable[tuple[str, str]]) -> str:
    """Return the digest of a folder from (path inside it, SHA-256 of the file) in order of paths."""
    lines = "".join(f"{digest}  {name}\n" for name, digest in files)
    return hashlib.sha256(lines.encode()).hexdigest()
