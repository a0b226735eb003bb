"""Detects URLs with a missing slash or colon, which would otherwise be taken for relative paths."""

import re

from fsspec.registry import known_implementations

_PROTOCOLS = frozenset(known_implementations) | {"abfss"}
_FOLDERS = frozenset(
    "box cached dask data dir dropbox dvc generic gist git github jupyter local reference root tar wandb zip".split()  # noqa: SIM905
)
"""Protocols that are also common folder names: `data//run` is a path."""
_ON_DISK = ("file", "local")

_MISSPELT = re.compile(r"([A-Za-z][A-Za-z0-9+._-]*)(:/?|//+)(?!/)(.*)", re.DOTALL)


def intended_url(text: str) -> str | None:
    """Return the correct form of `s3:/bucket`, `s3:bucket` or `s3//bucket`; None for a valid URL and for a path."""
    found = None if "://" in text else _MISSPELT.fullmatch(text)
    if found is None:
        return None
    protocol, mark, rest = found[1].lower(), found[2], found[3]
    if protocol not in _PROTOCOLS or (mark.startswith("/") and protocol in _FOLDERS):
        return None
    root = "/" if protocol in _ON_DISK and "/" in mark else ""
    return f"{protocol}://{root}{rest}"
