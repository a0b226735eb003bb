"""Versions of synfiqa and of what it runs on, for `synfiqa --version`."""

import platform
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PYPROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"


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
    if PYPROJECT.is_file():
        return str(tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]["version"])
    return _version("synfiqa")
