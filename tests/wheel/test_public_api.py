"""One import name: the public API is imported on first use, and the folders are no packages of their own."""

import subprocess
import sys
from pathlib import Path

import pytest

import synfiqa

ROOT = Path(__file__).parents[2]


def run(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", synfiqa.__all__)
def test_every_public_name_exists_and_is_documented(name):
    assert getattr(synfiqa, name).__doc__
    assert name in dir(synfiqa)


def test_importing_the_package_imports_nothing_heavy():
    done = run("import sys, synfiqa; print({'ray', 'torch', 'cv2', 'scipy', 'pyarrow'} & set(sys.modules))")
    assert done.stdout == "set()\n", done.stderr


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'scores'"):
        synfiqa.scores  # noqa: B018


@pytest.mark.parametrize("folder", ["schemas", "cluster", "actors", "fiqa_train"])
def test_a_folder_cannot_be_imported_under_its_bare_name(folder):
    """Two names would load every module twice: an error raised as one class is not caught as the other."""
    done = run(f"import {folder}")
    assert done.returncode == 1
    assert f"import synfiqa.{folder} instead of {folder}" in done.stderr


def test_the_bare_name_of_jobs_leads_to_the_package():
    """`python -m jobs.generate` is what is submitted; no module may be loaded twice by it."""
    program = (
        "import sys, jobs, jobs.generate, synfiqa.jobs.generate\n"
        "assert jobs is synfiqa.jobs\n"
        "assert not [n for n in sys.modules if n.startswith('jobs.command')]\n"
    )
    done = run(program)
    assert done.returncode == 0, done.stderr
