"""Reads lists of photographs: a path a line, or a column of a CSV."""

import csv
import os
from pathlib import Path

_PATH_COLUMNS = ("path", "file", "filename", "file_name", "image", "photo", "url")
_LONGEST = 64 << 20
"""Bytes of the longest list that is read."""


def listed_paths(path: Path) -> list[str]:
    """Return the paths that a .txt or .csv file lists, without empty lines and lines that begin with #.

    Of a CSV it is the column `path`, `file`, `image` or the like, else the first. [] for a file that is no list: not
    text, the scores of an earlier call, or without a single path that exists here or beside the list, or is a URL.
    """
    if path.stat().st_size > _LONGEST:
        return []
    text = os.fsdecode(path.read_bytes()).removeprefix("\ufeff").removeprefix("\udcef\udcbb\udcbf")
    if "\0" in text:
        return []
    names = _of_csv(text) if path.suffix.lower() == ".csv" else text.splitlines()
    names = [name.strip() for name in names if name.strip() and not name.lstrip().startswith("#")]
    return names if any(_exists(name, path.parent) for name in names) else []


def _of_csv(text: str) -> list[str]:
    rows = [row for row in csv.reader(text.splitlines()) if row]
    header = [cell.strip().lower() for cell in rows[0]] if rows else []
    column = next((header.index(name) for name in _PATH_COLUMNS if name in header), None)
    if column is None:
        return [row[0] for row in rows]
    if {"path", "reason", "detection"} <= set(header):
        return []
    return [row[column] for row in rows[1:] if column < len(row)]


def _exists(name: str, folder: Path) -> bool:
    if "://" in name:
        return True
    try:
        path = Path(name).expanduser()
        return path.exists() or (folder / path).exists()
    except (OSError, ValueError, RuntimeError):
        return False
