"""The interface of a store; `synfiqa.cluster.storage.storage` adds path checks, retries and error classes."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

TMP = ".tmp-"
"""Prefix of the names of unfinished files and probes; listings omit them, `synfiqa gc` removes them."""


class Entry(NamedTuple):
    """File of the run folder: relative path, length, and time of writing by the store's own clock."""

    path: str
    bytes: int
    modified: float


class Store(Protocol):
    """Operations of a store on checked relative paths: one attempt each, with the errors that the store raises."""

    def read(self, path: str) -> bytes:
        """Return the whole object, never a part of it; FileNotFoundError when there is none."""

    def read_each(self, paths: Sequence[str]) -> list[bytes | Exception]:
        """Read many objects; the result of a failed read is its error."""

    def read_range(self, path: str, start: int, length: int) -> bytes:
        """Return so many bytes of the object from `start` on; fewer only where it ends."""

    def put(self, path: str, data: bytes) -> None:
        """Write or replace the object; after an error readers see the previous content."""

    def put_if_absent(self, path: str, data: bytes) -> bool:
        """Write the object if none exists; return False when one exists."""

    def head(self, path: str) -> Entry:
        """Return length and time of an object; FileNotFoundError when there is none, or a folder."""

    def delete(self, path: str) -> None:
        """Delete the object; a missing one is no error."""

    def scan(self, prefix: str) -> list[Entry]:
        """Return every file below a folder in any order, `.tmp-` files too; [] when the folder is missing."""

    def children(self) -> list[str]:
        """Return the names directly in the run folder, in any order; [] when it is missing."""
