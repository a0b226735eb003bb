"""The command line: its commands are frozen, and every failure is a sentence with a documented exit code."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import synfiqa.jobs
from synfiqa.cluster.pipeline.ray_session import Terminated
from synfiqa.jobs import cli
from synfiqa.jobs.cli import build_parser, main, run_command
from synfiqa.schemas.errors import JobFailed, RunHeld, StorageRefused, StorageUnavailable, TooManyDead, UserError
from tests.cluster.finished_run import finished_run

JOBS = [
    "run",
    "generate",
    "replay",
    "label",
    "train",
    "evaluate",
    "score",
    "report",
    "export",
    "status",
    "verify",
    "gc",
    "templates",
    "models",
    "calibrate",
    "benchmark",
    "bootstrap",
]
LIGHT = ("status", "verify", "gc")
"""Jobs that start in a second, because they need neither Ray nor torch."""
CODES = {
    UserError: 2,
    StorageRefused: 2,
    JobFailed: 1,
    StorageUnavailable: 1,
    TooManyDead: 3,
    RunHeld: 4,
    KeyboardInterrupt: 130,
    Terminated: 143,
}


def test_help_lists_every_job(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    assert re.findall(r"^    (\w+)\b", text, re.MULTILINE) == JOBS
    assert {f"  {code} " in text for code in {0, *CODES.values()}} == {True}, "every exit code is documented"


@pytest.mark.parametrize(("error", "code"), CODES.items())
def test_exit_codes(capsys, error, code):
    def fail():
        raise error("no such luck")

    assert run_command(fail) == code
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert ("run the same command again" if code > 128 else "synfiqa: no such luck") in said


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
        ["score", "photos", "--model", "m", "--out", "s3:/bucket/scores.csv"],
        ["benchmark", "make", "--out", "s3//bucket/benchmark"],
        ["status", "s3:/bucket/run"],
        ["generate", "configs/quickstart.yaml", "--run", "s3//bucket/run"],
        ["status"],
        ["status", "a", "--run", "b"],
        ["verify", "/nonexistent/run"],
        ["gc", "/nonexistent/run", "--older-than", "soon"],
        ["replay", "--run", "/nonexistent/run"],
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


@pytest.mark.parametrize("arguments", [["status"], ["verify"], ["gc", "--dry-run"]])
def test_the_tools_take_the_run_as_an_argument_or_as_an_option(tmp_path, capsys, arguments):
    finished_run(tmp_path)
    said = []
    for place in ([str(tmp_path)], ["--run", str(tmp_path)]):
        with pytest.raises(SystemExit) as stop:
            main([*arguments, *place])
        assert stop.value.code == 0
        said.append(capsys.readouterr().out)
    assert said[0] == said[1] != ""


def test_the_tools_look_at_the_newest_generation(tmp_path, capsys):
    finished_run(tmp_path)
    finished_run(tmp_path / "generation-000002")
    with pytest.raises(SystemExit):
        main(["status", str(tmp_path)])
    assert f"run         {tmp_path}/generation-000002" in capsys.readouterr().out


def test_verify_fails_with_code_1_when_something_is_damaged(tmp_path, capsys):
    finished_run(tmp_path)
    (tmp_path / "samples/mine.txt").write_text("x")
    with pytest.raises(SystemExit) as stop:
        main(["verify", str(tmp_path)])
    assert stop.value.code == 1
    said = capsys.readouterr()
    assert "foreign samples/mine.txt" in said.out
    assert "synfiqa: " in said.err


@pytest.mark.parametrize("job", ["run", "generate"])
def test_a_new_generation_is_only_ever_started_when_asked_for(job):
    parser = build_parser()
    assert not parser.parse_args([job, "c.yaml"]).new_generation
    assert parser.parse_args([job, "c.yaml", "--new-generation"]).new_generation


def test_replay_says_what_it_replays(capsys):
    with pytest.raises(SystemExit) as stop:
        build_parser().parse_args(["replay", "c.yaml"])
    assert stop.value.code == 2
    assert "--dead" in capsys.readouterr().err
    assert build_parser().parse_args(["replay", "c.yaml", "--dead"]).job is cli._replay


@pytest.mark.parametrize("job", [job for job in JOBS if job != "bootstrap"])
def test_every_job_is_a_module_that_can_be_submitted(job):
    """`ray job submit -- python -m jobs.generate ...`: the module hands its arguments to the command of its name."""
    source = Path(synfiqa.jobs.__file__).with_name(f"{job}.py").read_text(encoding="utf-8")
    end = f'if __name__ == "__main__":\n    from synfiqa.jobs.cli import main\n\n    main(["{job}", *sys.argv[1:]])\n'
    assert source.endswith(end)


@pytest.mark.parametrize("job", LIGHT)
def test_a_job_module_runs(job):
    result = subprocess.run(
        [sys.executable, "-m", f"jobs.{job}", "--help"], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert f"usage: synfiqa {job}" in result.stdout
