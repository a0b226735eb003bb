"""The record of an unfinished scoring: the rows of each photograph as they are made, beside the file of scores."""

import fcntl
import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from synfiqa.fiqa_train.scoring.output.score_columns import Row
from synfiqa.schemas.errors import UserError

SUFFIX = ".unfinished"
"""What the name of the file of scores gets for that of its record."""


class Journal:
    """JSON lines beside a file of scores: the settings, then one line with all rows of each finished photograph.

    A line that a kill has cut does not count. It is removed when the file of scores is whole.
    """

    def __init__(self, target: Path, settings: dict[str, Any]) -> None:
        """Open or begin the record of a file.

        UserError when it was begun with other settings, another command writes it, or its folder refuses.
        """
        self.path = target.with_name(target.name + SUFFIX)
        self._target = target
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            self._stream: IO[bytes] = self.path.open("a+b")
        except OSError as error:
            raise UserError(
                f"cannot write {self.path} ({error.strerror}): give --out a file in a folder that may be written"
            ) from error
        try:
            self._lock()
            self._begin(settings)
        except BaseException:
            self._stream.close()
            raise

    def _lock(self) -> None:
        try:
            fcntl.flock(self._stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                f"another command is writing {self._target}: wait for its end, or give --out another name"
            ) from None
        except OSError:
            return  # a file system without locks

    def _begin(self, settings: dict[str, Any]) -> None:
        self._stream.seek(0)
        before = _intact(self._stream.readline())
        if before is None:
            self._stream.truncate(0)
            self._append({"settings": settings})
            return
        differing = _differences(before.get("settings", {}), settings)
        if differing:
            raise UserError(
                f"{self._target} was begun with other settings ({'; '.join(differing)}): give --out another name, or "
                f"remove {self.path} to begin anew"
            )

    def entries(self) -> Iterator[tuple[str, list[Row]]]:
        """Yield the name of each finished photograph with its rows; a cut last line is removed."""
        self._stream.seek(0)
        self._stream.readline()
        whole = self._stream.tell()
        while line := self._stream.readline():
            entry = _intact(line)
            if entry is None:
                break
            whole = self._stream.tell()
            yield entry["name"], entry["rows"]
        self._stream.truncate(whole)

    def add(self, name: str, rows: list[Row]) -> None:
        """Append the rows of a photograph."""
        self._append({"name": name, "rows": rows})

    def _append(self, entry: dict[str, Any]) -> None:
        self._stream.write(json.dumps(entry, allow_nan=False).encode() + b"\n")
        self._stream.flush()

    def close(self, *, remove: bool = False) -> None:
        """Close the record; with `remove`, or without a finished photograph, also delete it.

        A second call does nothing.
        """
        if self._stream.closed:
            return
        empty = True
        if not remove:
            self._stream.seek(0)
            self._stream.readline()
            empty = not self._stream.readline()
        if remove or empty:
            self.path.unlink(missing_ok=True)
        self._stream.close()


def _intact(line: bytes) -> dict[str, Any] | None:
    if not line.endswith(b"\n"):
        return None
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _differences(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    keys = [key for key in {**before, **now} if before.get(key) != now.get(key)]
    return [f"{key} {_shown(before.get(key))}, now {_shown(now.get(key))}" for key in keys][:3]


def _shown(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else text[:80] + "..."
