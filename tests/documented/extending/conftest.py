"""Packages with plug-ins on the path of this process, and what forgets them afterwards."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from synfiqa.schemas import plugins
from synfiqa.schemas.factors.plugin_rows import plugged

Declare = Callable[..., None]


@pytest.fixture
def declare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Declare]:
    """Return a function that installs a package: name of its module, code, entry points by group."""
    modules: list[str] = []

    def _declare(module: str, code: str, **groups: str) -> None:
        folder = tmp_path / module
        folder.mkdir()
        (folder / f"{module}.py").write_text(code, encoding="utf-8")
        facts = folder / f"{module}-1.0.dist-info"
        facts.mkdir()
        (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n", encoding="utf-8")
        entries = "".join(f"[synfiqa.{group}]\n{line}\n" for group, line in groups.items())
        (facts / "entry_points.txt").write_text(entries, encoding="utf-8")
        monkeypatch.syspath_prepend(str(folder))
        modules.append(module)
        _forget()

    yield _declare
    _forget()
    for module in modules:
        sys.modules.pop(module, None)


def _forget() -> None:
    for cached in (plugins.installed, plugins._imported, plugged):
        cached.cache_clear()
