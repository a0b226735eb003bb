"""The command line: its commands are frozen, and every failure is a sentence with a documented exit code."""

import subprocess
import sys

import pytest

from cluster.errors import JobFailed, UserError
from jobs.cli import build_parser, main, run_command

JOBS = ["run", "generate", "label", "train", "evaluate", "score", "report", "export", "bootstrap"]


def test_help_lists_every_job(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    assert all(f"    {job}" in text for job in JOBS)


@pytest.mark.parametrize(("error", "code"), [(UserError("a"), 2), (JobFailed("b"), 1), (KeyboardInterrupt(), 130)])
def test_exit_codes(capsys, error, code):
    def fail():
        raise error

    assert run_command(fail) == code
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "configs/quickstart.yaml", "--set", "generate.identities=abc"],
        ["run"],
        ["run", "nowhere.yaml"],
        ["label", "--run", "/nonexistent/run"],
        ["run", "a.yaml", "--config", "b.yaml"],
        ["dance"],
        ["score"],
        ["score", "photos", "--model", "m", "--out", "s3://bucket/scores.csv"],
    ],
)
def test_wrong_usage_exits_2_without_traceback(capsys, arguments):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert "Traceback" not in capsys.readouterr().err


def test_both_ways_to_name_the_config():
    parser = build_parser()
    assert parser.parse_args(["generate", "c.yaml"]).config == "c.yaml"
    assert parser.parse_args(["generate", "--config", "c.yaml"]).config_option == "c.yaml"


@pytest.mark.parametrize("job", [job for job in JOBS if job != "bootstrap"])
def test_every_job_is_a_module_that_can_be_submitted(job):
    result = subprocess.run(
        [sys.executable, "-m", f"jobs.{job}", "--help"], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert f"usage: synfiqa {job}" in result.stdout
