"""The command line: its commands are frozen, and every failure is a sentence with a documented exit code."""

import re
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import pytest

import synfiqa.jobs
from synfiqa.jobs.cli import COMMANDS, build_parser, main
from synfiqa.jobs.command import CommandGroup, sentence
from synfiqa.jobs.replay import replay
from tests.cluster.finished_run import finished_run

JOBS = [
    "run",
    "generate",
    "replay",
    "label",
    "train",
    "evaluate",
    "leaderboard",
    "score",
    "report",
    "export",
    "export-model",
    "froq",
    "status",
    "verify",
    "gc",
    "templates",
    "models",
    "calibrate",
    "deploy",
    "benchmark",
    "bootstrap",
    "completion",
]
RUN_JOBS = [
    job
    for job in JOBS
    if job not in ("deploy", "export-model", "froq", "score", "models", "benchmark", "bootstrap", "completion")
]
"""Jobs that have a run."""


def test_help_lists_every_job(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    assert re.findall(r"^    ([\w-]+)", text, re.MULTILINE) == JOBS


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


@pytest.mark.parametrize("job", RUN_JOBS)
def test_every_job_that_has_a_run_takes_it_as_an_option(job):
    needed = {
        "replay": ["--dead"],
        "export": ["--out", "x"],
        "templates": ["--out", "x"],
        "leaderboard": ["c.yaml", "--out", "x"],
    }
    assert build_parser().parse_args([job, "--run", "s3://b/r", *needed.get(job, [])]).run == "s3://b/r"


@pytest.mark.parametrize("arguments", [["status"], ["verify"], ["gc"], ["replay", "--dead"]])
def test_a_run_that_is_the_only_argument_may_stand_alone(arguments):
    assert build_parser().parse_args([*arguments, "s3://b/r"]).folder == "s3://b/r"


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
    assert build_parser().parse_args(["replay", "c.yaml", "--dead"]).job is replay


def test_the_version_is_that_of_the_project_and_of_what_it_runs_on(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    assert stop.value.code == 0
    said = capsys.readouterr().out
    assert re.fullmatch(r"synfiqa \d+\.\d+\.\d+, Python 3\.12\.\d+, ray \S+, torch \S+\n", said)
    assert f"ray {version('ray')}, torch {version('torch')}" in said


def test_help_texts_keep_their_capitals(capsys):
    assert sentence("pack workers onto GPUs") == "Pack workers onto GPUs."
    with pytest.raises(SystemExit):
        main(["evaluate", "--help"])
    assert "Compute EDC and pAUC on held-out identities" in capsys.readouterr().out


@pytest.mark.parametrize("job", JOBS)
def test_every_job_explains_itself(job, capsys):
    command = next(command for command in COMMANDS if command.name == job)
    actions = [action.name for action in command.actions] if isinstance(command, CommandGroup) else []
    for arguments in ([job], *([job, action] for action in actions)):
        with pytest.raises(SystemExit) as stop:
            main([*arguments, "--help"])
        assert stop.value.code == 0
        assert f"usage: synfiqa {' '.join(arguments)} " in capsys.readouterr().out


# `completion` completes all other jobs, so it exists beside them only.
@pytest.mark.parametrize("job", [job for job in JOBS if job != "completion"])
def test_every_job_is_a_small_module_that_can_be_submitted(job, capsys):
    """`ray job submit -- python -m jobs.generate ...`: the module runs the command of its name and no other."""
    module = job.replace("-", "_")
    source = Path(synfiqa.jobs.__file__).with_name(f"{module}.py").read_text(encoding="utf-8")
    assert source.endswith('\n\nif __name__ == "__main__":\n    COMMAND.main()\n')
    assert len(source.splitlines()) <= 60
    command = import_module(f"synfiqa.jobs.{module}").COMMAND
    assert command in COMMANDS
    with pytest.raises(SystemExit) as stop:
        command.main(["--help"])
    assert stop.value.code == 0
    assert f"usage: synfiqa {job} " in capsys.readouterr().out
