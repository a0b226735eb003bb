"""What every kind of store can do for a run folder; `synfiqa.cluster.storage.storage` adds names, retries and error
classes to it."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

TMP = ".tmp-"
"""Files whose names begin so are half-made or probes: nobody lists or reads them, `synfiqa gc` removes them."""


class Entry(NamedTuple):
    """A file of the run folder: its relative path, its length, and when the store's own clock says it was written."""

    path: str
    bytes: int
    modified: float


class Store(Protocol):
    """One attempt at each operation, on checked relative paths; the errors are whatever the store raises."""

    def read(self, path: str) -> bytes:
        """Return the whole object, never a part of it; FileNotFoundError when there is none."""

    def read_each(self, paths: Sequence[str]) -> list[bytes | Exception]:
        """Read many objects at a time; the error stands where the bytes of a failed one would be."""

    def put(self, path: str, data: bytes) -> None:
        """Make the object, or replace it; on any error readers see what was there before."""

    def put_if_absent(self, path: str, data: bytes) -> bool:
        """Ask the store to make the object if there is none: False when it says there is one."""

    def head(self, path: str) -> Entry:
        """Return length and time of an object; FileNotFoundError when there is none, or a folder."""

    def delete(self, path: str) -> None:
        """Remove the object; one that is already gone is fine."""

    def scan(self, prefix: str) -> list[Entry]:
        """Return every file below a folder, hidden ones too, in any order; [] when the folder is missing."""

    def children(self) -> list[str]:
        """Return the names directly in the run folder, in any order; [] when it is missing."""
