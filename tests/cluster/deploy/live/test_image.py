"""The Dockerfile is built whole, with buildah and a stand-in for its base: Debian and the Python of these tests."""

import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.e2e.command import ROOT

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(5400)]

BASE, IMAGE = "localhost/stand-in:1", "localhost/synfiqa:1"
LIBRARIES = "ca-certificates,libssl3,libffi8,libsqlite3-0,libreadline8,zlib1g,libbz2-1.0,liblzma5,libexpat1,libuuid1"
"""Debian's packages that a Python needs beside those of a least Debian."""
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
TOOLS = ("buildah", "debootstrap")
NEEDED_GIB = 40


def missing() -> str:
    """Return why the image cannot be built here, or nothing."""
    absent = [name for name in TOOLS if shutil.which(name, path=search_path()) is None]
    if absent:
        return f"{', '.join(absent)} not installed (apt-get install buildah debootstrap)"
    return "" if os.geteuid() == 0 else "debootstrap needs root"


def test_the_image_builds_and_runs_as_its_user(tmp_path):
    if reason := missing():
        pytest.skip(reason)
    free = shutil.disk_usage(tmp_path).free // 2**30
    if free < NEEDED_GIB:
        pytest.skip(f"{free} GiB free, and the image with its layers takes {NEEDED_GIB}")
    make_base(tmp_path)
    build(tmp_path)
    check(tmp_path)


def build(folder: Path) -> None:
    """Build the Dockerfile as it is, all dependencies included, in a checkout."""
    options = ("--isolation", "chroot", "--build-arg", f"BASE={BASE}", "-f", str(ROOT / "cluster/deploy/Dockerfile"))
    buildah(folder, "bud", *options, "-t", IMAGE, str(ROOT))


def check(folder: Path) -> None:
    container = buildah(folder, "from", IMAGE)

    def inside(*command):
        return buildah(folder, "run", "--isolation", "chroot", container, "--", *command)

    assert inside("id", "-u") == "1000"
    assert inside("synfiqa", "--version").startswith(f"synfiqa {version('synfiqa')}, Python 3.12")
    assert version("ray") in inside("ray", "--version")
    assert inside("bash", "-c", "command -v ray") == "/opt/venv/bin/ray", "KubeRay starts `ray` by its name"
    assert "RayJob" in inside("synfiqa", "deploy", "render", "--target", "kuberay", "synfiqa/configs/cluster.yaml")
    assert inside("bash", "-c", "test -e synfiqa/.venv || echo absent") == "absent"


def make_base(folder: Path) -> None:
    """Make the image that stands in for `python:3.12-slim`; skips the test where Debian's mirror is out of reach."""
    root = folder / "root"
    command = ["debootstrap", "--variant=minbase", f"--include={LIBRARIES}", "bookworm", str(root)]
    made = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    if made.returncode:
        pytest.skip(f"no base: debootstrap: {made.stdout[-300:]}{made.stderr[-300:]}")
    shutil.copytree(sys.base_prefix, root / "usr/local", symlinks=True, dirs_exist_ok=True)
    # Scripts of that Python name the folder where it stood.
    pip = root / "usr/local/bin/pip"
    pip.unlink(missing_ok=True)
    pip.write_text('#!/bin/sh\nexec /usr/local/bin/python3.12 -m pip "$@"\n')
    pip.chmod(0o755)
    for name in ("python3", "python"):
        (root / "usr/local/bin" / name).unlink(missing_ok=True)
        (root / "usr/local/bin" / name).symlink_to("python3.12")
    # A Python may have its own library beside it, as that of the official image has.
    subprocess.run(["ldconfig", "-r", str(root)], env=environment(), check=True)
    # Packages come by the way of this machine, which may have an authority of its own.
    if Path(CERTIFICATES).exists():
        shutil.copy(CERTIFICATES, root / CERTIFICATES.lstrip("/"))
    # What debootstrap mounts it takes away again; nothing is removed where it could not.
    for name in ("dev", "proc", "sys"):
        assert not (root / name).is_mount(), f"{root / name} is still mounted"
        shutil.rmtree(root / name)
        (root / name).mkdir()
    container = buildah(folder, "from", "scratch")
    buildah(folder, "add", container, str(root), "/")
    for variable in ("SSL_CERT_FILE", "PIP_CERT"):
        buildah(folder, "config", "--env", f"{variable}={CERTIFICATES}", container)
    buildah(folder, "commit", "--rm", container, BASE)
    shutil.rmtree(root)


def buildah(folder: Path, *arguments: str) -> str:
    """Run buildah on a store of its own and return what it prints."""
    store = ("--storage-driver", "vfs", "--root", str(folder / "store"), "--runroot", str(folder / "running"))
    done = subprocess.run(
        ["buildah", *store, *arguments],
        env={**environment(), "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"buildah {arguments}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
    return done.stdout.strip()


def environment() -> dict[str, str]:
    return {**os.environ, "PATH": search_path()}


def search_path() -> str:
    return os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))
