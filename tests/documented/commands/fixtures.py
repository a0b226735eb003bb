"""What documented commands find in the checkout: a copy of the files, photographs, a catalogue, small configs."""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import torch
import yaml
from PIL import Image
from safetensors.torch import save_file

from synfiqa.actors.model_store.digest import weights_digest
from synfiqa.actors.model_store.loading import build_network
from synfiqa.actors.model_store.rehearsal import random_state
from synfiqa.schemas.model_card import ModelCard
from tests.cluster.finished_run import finished_run
from tests.documented.commands.parse import ROOT
from tests.e2e.command import TINY

SHIMS = {
    "synfiqa": f'exec {sys.executable} -m synfiqa.jobs.cli "$@"',
    "python": f'exec {sys.executable} "$@"',
    "pytest": f'exec {sys.executable} -m pytest -p no:cacheprovider "$@"',
    "ray": f'exec {Path(sys.executable).parent / "ray"} "$@"',
}
"""Programs of the documents, in this Python's environment."""


def copy_checkout(target: Path) -> Path:
    """Copy the files that git has or would have; links stay links."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, names.split("\0")):
        source = ROOT / name
        if source.exists() or source.is_symlink():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name, follow_symlinks=False)
    return target


def write_shims(folder: Path) -> Path:
    """Write the programs into a folder for the front of PATH."""
    folder.mkdir()
    for name, line in SHIMS.items():
        path = folder / name
        path.write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return folder


def write_fixtures(checkout: Path) -> None:
    """Write all that stands for the reader's own files into the checkout."""
    from skimage import data

    (checkout / "photos").mkdir()
    Image.fromarray(data.astronaut()).save(checkout / "photos" / "astronaut.png")
    _write_small_config(checkout)
    _write_catalogue(checkout)
    finished_run(checkout / "runs" / "with-dead")
    assert list((checkout / "runs" / "with-dead" / "dead").iterdir())


def _write_small_config(checkout: Path) -> None:
    """Write small.yaml: the quickstart with few identities."""
    tree = yaml.safe_load((checkout / "configs" / "quickstart.yaml").read_text(encoding="utf-8"))
    for name, value in {**TINY, "run.url": "runs/small"}.items():
        section, _, key = name.partition(".")
        tree.setdefault(section, {})[key] = yaml.safe_load(str(value))
    (checkout / "small.yaml").write_text(yaml.safe_dump(tree), encoding="utf-8")


def _write_catalogue(checkout: Path) -> None:
    """Write models.yaml, weights of its one model, a folder, and a Lightning file with the same weights."""
    document = yaml.safe_load((checkout / "configs" / "models" / "adaface-ir18.yaml").read_text(encoding="utf-8"))
    fields = document["models"]["adaface-ir18"]
    with torch.device("meta"):
        skeleton = build_network(ModelCard(**{**fields, "name": "adaface", "source": "random:0"}))
    state = random_state(skeleton, seed=0)
    save_file(state, checkout / "adaface.safetensors")
    digest = weights_digest(checkout / "adaface.safetensors")
    card = fields | {"source": "adaface.safetensors", "sha256": digest, "match_cosine": 0.3}
    (checkout / "models.yaml").write_text(yaml.safe_dump({"models": {"adaface": card}}), encoding="utf-8")
    (checkout / "folder").mkdir()
    shutil.copy2(checkout / "adaface.safetensors", checkout / "folder")
    lightning = {"state_dict": {f"model.{key}": value for key, value in state.items()}}
    torch.save(lightning, checkout / "adaface_ir18_webface4m.ckpt")


def environment(checkout: Path, shims: Path, **more: str) -> dict[str, str]:
    """Return the variables of a documented command: our programs first, the copied checkout as import path."""
    return {
        **os.environ,
        "PATH": f"{shims}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(checkout),
        # `uv run` of the caller is not that of the commands.
        "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
        # A machine with other work needs more than Ray's 30 s to start its processes.
        "RAY_raylet_start_wait_time_s": "240",
        **more,
    }
