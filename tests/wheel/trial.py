"""Builds the wheel, installs it into a fresh environment and uses it in a folder with hostile names."""

import csv
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).parents[2]
Installer = Literal["pip", "uv"]

HOSTILE = ("jobs", "schemas", "actors", "cluster", "fiqa_train", "configs")
"""Packages of the user's own that raise when they are imported: another program's folders of the same names."""

SMALL = {
    "run.seed": 11,
    "generate.identities": 2,
    "generate.candidates_per_unit": 4,
    "generate.identities_per_shard": 1,
    "generate.references": 2,
    "generate.degraded": 2,
}


class TrialFailed(Exception):
    """A step of the trial went wrong; the message holds its command and the end of its output."""


def build_wheel(folder: Path) -> Path:
    """Build the wheel of this checkout into `folder` and return its path."""
    run([uv(), "build", "--quiet", "--wheel", "--out-dir", str(folder)], cwd=ROOT)
    (wheel,) = folder.glob("synfiqa-*.whl")
    return wheel


def top_level_names(wheel: Path) -> set[str]:
    """Return the top-level names that the wheel would install, without its metadata."""
    with zipfile.ZipFile(wheel) as archive:
        names = {name.split("/")[0] for name in archive.namelist()}
    return {name for name in names if not name.endswith(".dist-info")}


def install(wheel: Path, folder: Path, installer: Installer) -> Path:
    """Install the wheel and all its requirements into a new environment; return the folder of its programs.

    `pip` is plain pip, which resolves and downloads as a user's does; `uv` takes packages from its cache, as of the
    date in pyproject.toml.
    """
    if installer == "pip":
        run([sys.executable, "-m", "venv", str(folder)])
        run([str(folder / "bin/python"), "-m", "pip", "install", "--quiet", str(wheel)])
        run([str(folder / "bin/python"), "-m", "pip", "check"])
    else:
        run([uv(), "venv", "--quiet", "--python", sys.executable, str(folder)])
        target = ["--python", str(folder / "bin/python"), "--link-mode", "symlink", "--no-compile-bytecode"]
        # From the project's folder, whose pyproject.toml has the date.
        run([uv(), "pip", "install", "--quiet", *target, str(wheel)], cwd=ROOT)
        lend_bytecode(Path(sysconfig.get_path("purelib")), *(folder / "lib").glob("python*/site-packages"))
    return folder / "bin"


def lend_bytecode(ours: Path, theirs: Path) -> None:
    """Link what this environment has compiled into the new one: compiling all libraries again takes minutes.

    Python looks at date and length of each source, and compiles it where they differ.
    """
    for compiled in ours.rglob("__pycache__"):
        package = theirs / compiled.parent.relative_to(ours)
        sources = {entry.stem for entry in package.glob("*.py")}
        found = [file for file in compiled.iterdir() if file.name.partition(".")[0] in sources]
        if found:
            (package / "__pycache__").mkdir(exist_ok=True)
        for file in found:
            (package / "__pycache__" / file.name).symlink_to(file)


def hostile_folder(folder: Path) -> Path:
    """Make a folder whose own packages have the names of this project's folders and cannot be imported."""
    for name in HOSTILE:
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text(f'raise RuntimeError("the package {name} of another program")\n')
    return folder


def use(programs: Path, folder: Path) -> str:
    """Score a photograph and generate a small run in `folder`; return what both printed."""
    # The photograph comes from the tests' environment, which has scikit-image; the wheel does not need it.
    from PIL import Image
    from skimage.data import astronaut

    Image.fromarray(astronaut()).save(folder / "astronaut.png")
    synfiqa = str(programs / "synfiqa")
    printed = run([synfiqa, "--help"], cwd=folder)
    printed += run([synfiqa, "score", "astronaut.png", "--out", "scores.csv"], cwd=folder)
    with (folder / "scores.csv").open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    if not 0 < float(row["score"] or 0) < 1:
        raise TrialFailed(f"the photograph has no score: {row}")
    config = run([str(programs / "python"), "-c", _CONFIG], cwd=folder / "jobs").strip()
    sets = [part for key, value in SMALL.items() for part in ("--set", f"{key}={value}")]
    printed += run([synfiqa, "generate", config, "--run", "run", *sets], cwd=folder)
    printed += run([synfiqa, "verify", "run"], cwd=folder)
    return printed


_CONFIG = "import pathlib, synfiqa; print(pathlib.Path(synfiqa.__file__).parent / 'configs' / 'quickstart.yaml')"


def trial(folder: Path, installer: Installer) -> str:
    """Build, inspect, install and use the wheel below `folder`; TrialFailed names the first step that went wrong."""
    wheel = build_wheel(folder / "dist")
    if (names := top_level_names(wheel)) != {"synfiqa"}:
        raise TrialFailed(f"the wheel has other top-level names than synfiqa: {', '.join(sorted(names))}")
    programs = install(wheel, folder / "environment", installer)
    return use(programs, hostile_folder(folder / "elsewhere"))


def run(command: Sequence[str], cwd: Path | None = None) -> str:
    """Run a command outside any environment of this process; return its output, or raise TrialFailed."""
    inherited = {
        key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "VIRTUAL_ENV", "UV_P"))
    }
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**inherited, "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=1800,
    )
    if done.returncode:
        raise TrialFailed(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-3000:]}")
    return done.stdout


def uv() -> str:
    """Return the uv that runs this process (`uv run` names it), or that of the path."""
    found = os.environ.get("UV") or shutil.which("uv")
    if found is None:
        raise TrialFailed("uv is missing, which builds the wheel: pip install uv")
    return found
