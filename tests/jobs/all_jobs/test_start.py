"""Commands that need no network start without the libraries that only work needs."""

import subprocess
import sys

import pytest

from synfiqa.jobs.cli import COMMANDS
from synfiqa.jobs.command import CommandGroup
from tests.cluster.finished_run import finished_run

PROGRAM = """
import sys
from synfiqa.jobs.cli import main
for line in sys.argv[1:]:
    try:
        main(line.split("\\t"))
    except SystemExit as stop:
        assert not stop.code, (line, stop.code)
    heavy = {"ray", "torch", "scipy", "matplotlib", "cv2"} & {name.partition(".")[0] for name in sys.modules}
    assert not heavy, (line, heavy)
"""


def starts_light(*lines):
    """Run command lines in one process; importing the heavy libraries takes seconds, which each call would pay."""
    arguments = [sys.executable, "-c", PROGRAM, *("\t".join(line) for line in lines)]
    result = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_status_verify_and_gc(tmp_path):
    finished_run(tmp_path)
    said = starts_light(["status", str(tmp_path)], ["verify", str(tmp_path)], ["gc", str(tmp_path), "--dry-run"])
    assert "state       finished" in said
    assert "problems    none" in said
    assert "would remove 0 objects" in said


def test_help_versions_and_completion_of_everything():
    lines = [["--help"], ["--version"], *(["completion", shell] for shell in ("bash", "zsh", "fish"))]
    for command in COMMANDS:
        lines += [[command.name, "--help"], [command.name, "--version"]]
        if isinstance(command, CommandGroup):
            lines += [[command.name, action.name, "--help"] for action in command.actions]
    said = starts_light(*lines)
    assert said.count("usage: synfiqa") == sum(line[-1] == "--help" for line in lines)
    assert said.count("Python 3.12") == sum(line[-1] == "--version" for line in lines)


@pytest.mark.parametrize("module", ["jobs.status", "synfiqa.jobs.gc", "jobs.models"])
def test_a_job_module_runs(module):
    result = subprocess.run([sys.executable, "-m", module, "--help"], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert f"usage: synfiqa {module.rpartition('.')[2]}" in result.stdout
    assert result.stderr == ""
