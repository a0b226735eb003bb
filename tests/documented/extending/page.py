"""Files and diffs of docs/extending.md: written, built and unpacked, or applied to a copy of the checkout."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "extending.md"
_BLOCK = re.compile(r'^```\w+ title="([^"\n]+)"\n(.*?)^```$', re.DOTALL | re.MULTILINE)
APPLY = ("git", "apply", "--unidiff-zero", "--whitespace=error")
_CODE = ("jobs", "actors", "schemas", "cluster", "fiqa_train", "tests", "configs", "docs", "benchmarks", "synfiqa")


@cache
def blocks() -> dict[str, str]:
    """Return the titled blocks of the page by title."""
    return dict(_BLOCK.findall(PAGE.read_text(encoding="utf-8")))


def build(folder: Path, **changed: str) -> Path:
    """Build the wheel of the page's package, unpack it below the folder, and return the folder to put on the path.

    A pure wheel is installed by unpacking it. Keyword `code` or `project` replaces the module or pyproject.toml.
    """
    source = folder / "source"
    source.mkdir(parents=True)
    (source / "pyproject.toml").write_text(changed.get("project", blocks()["dust/pyproject.toml"]), encoding="utf-8")
    (source / "synfiqa_dust.py").write_text(changed.get("code", blocks()["dust/synfiqa_dust.py"]), encoding="utf-8")
    script = "import setuptools.build_meta as backend; print(backend.build_wheel('dist'))"
    run([sys.executable, "-c", script], source)
    (wheel,) = (source / "dist").glob("*.whl")
    installed = folder / "installed"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
    return installed


def copied(folder: Path) -> Path:
    """Copy the code of the checkout into the folder, and return the copy."""
    copy = folder / "checkout"
    for name in _CODE:
        shutil.copytree(ROOT / name, copy / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy2(ROOT / name, copy)
    return copy


def apply(title: str, copy: Path) -> None:
    """Apply a diff of the page to a copy."""
    (copy / "change.diff").write_text(blocks()[title], encoding="utf-8")
    run([*APPLY, "change.diff"], copy)


def run(line: list[str], folder: Path, **environment: str) -> str:
    """Run a command in a folder and return what it printed; AssertionError with its output where it fails."""
    done = subprocess.run(
        line, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, f"{line}: {done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr
