"""Versions of synfiqa and of what it runs on, for `synfiqa --version`."""

import platform
import tomllib
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

# Ray uploads a checkout with or without its links: the folder above jobs/ is then the checkout or synfiqa/ in it.
_CHECKOUTS = Path(__file__).resolve().parents[2:4]


def version_line() -> str:
    """Return the versions of synfiqa, Python, Ray and torch without importing the libraries."""
    libraries = ", ".join(f"{name} {_version(name)}" for name in ("ray", "torch"))
    return f"synfiqa {_own_version()}, Python {platform.python_version()}, {libraries}"


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "not installed"


def _own_version() -> str:
    # A checkout that was uploaded with `ray job submit` runs without being installed.
    for folder in _CHECKOUTS:
        with suppress(OSError, ValueError, KeyError):
            project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
            if project["name"] == "synfiqa":
                return str(project["version"])
    return _version("synfiqa")
