"""Completion in real shells: bash always, zsh and fish where they are installed."""

import shlex
import shutil
import subprocess

import pytest

from synfiqa.jobs.cli import COMMANDS
from synfiqa.jobs.shell_completion.places import PATHS, places
from synfiqa.jobs.shell_completion.scripts import SCRIPTS

OPTIONS = ["--config", "--help", "--log", "--run", "--set", "--version"]
CASES = [
    ("synfiqa ge", ["generate"]),
    ("synfiqa models ", ["card", "check", "digest", "fetch", "list"]),
    ("synfiqa models ch", ["check"]),
    ("synfiqa export --la", ["--layout"]),
    ("synfiqa export --layout ", ["gfiqa", "parquet", "synfiqa", "webdataset"]),
    ("synfiqa export --layout=w", ["webdataset"]),
    ("synfiqa bootstrap --part q", ["quality"]),
    ("synfiqa train --log ", ["json", "text"]),
    ("synfiqa status --w", ["--watch"]),
    ("synfiqa completion ", ["bash", "fish", "zsh"]),
    ("synfiqa label --", sorted([*OPTIONS, "--frozen"])),
    ("synfiqa models check --na", ["--name"]),
    ("synfiqa status my", ["my photo.jpg", "my.yaml"]),
    ("synfiqa run --config my.", ["my.yaml"]),
    ("synfiqa run --run=my.", ["my.yaml"]),
    ("synfiqa benchmark score --out my.", ["my.yaml"]),
    ("synfiqa gc --older-than m", []),
    # The value of an option is no command, and no command follows a finished one.
    ("synfiqa gc --run run --dr", ["--dry-run"]),
    ("synfiqa verify models ch", []),
]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    for name in ("my photo.jpg", "my.yaml", "other"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)


def shell(name, program, *options):
    """Return what a program prints for each line of CASES, sorted; it ends each with a line of its own."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    result = subprocess.run([found, *options, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert result.stderr == ""
    answers = result.stdout.split("END\n")
    assert answers.pop() == ""
    return {line: sorted(answer.splitlines()) for (line, _), answer in zip(CASES, answers, strict=True)}


def script(name):
    return SCRIPTS[name](places(COMMANDS))


def test_bash():
    calls = []
    for line, _ in CASES:
        words = line.replace("=", " = ").split(" ")  # as readline splits it
        calls.append(
            f"COMP_WORDS=({' '.join(map(shlex.quote, words))}) COMP_CWORD={len(words) - 1}; _synfiqa\n"
            '[[ ${#COMPREPLY[@]} == 0 ]] || printf "%s\\n" "${COMPREPLY[@]}"; echo END\n'
        )
    program = f"{script('bash')}\ncomplete -p synfiqa >/dev/null || echo not registered\n{''.join(calls)}"
    assert shell("bash", program, "--norc") == dict(CASES)


def test_zsh():
    """Functions that print stand in for the builtins that zsh has only while it completes."""
    stand_ins = (
        "compdef() { :; }\n"
        'compset() { PREFIX="${PREFIX#*=}"; }\n'
        '_describe() { for entry in ${(P)2}; do [[ $entry == $PREFIX* ]] && print -r -- "${entry%%:*}"; done }\n'
        'show() { for entry in "$@"; do [[ $entry == $PREFIX* ]] && print -r -- "$entry"; done }\n'
        "_files() { show * }\n"
    )
    calls = []
    for line, _ in CASES:
        words = line.split(" ")
        calls.append(
            f"words=({' '.join(map(shlex.quote, words))}) CURRENT={len(words)} PREFIX={words[-1]}\n_synfiqa\necho END\n"
        )
    assert shell("zsh", f"{stand_ins}{script('zsh')}\n{''.join(calls)}", "-f") == dict(CASES)


def test_fish():
    calls = "".join(f"complete -C {shlex.quote(line)}\necho END\n" for line, _ in CASES)
    answers = shell("fish", f"{script('fish')}\n{calls}", "--no-config")
    # Before the tab stands the word, behind it the help; a value comes with its option.
    found = {
        line: [entry.partition("\t")[0].rpartition("=")[2].replace("\\ ", " ") for entry in answer]
        for line, answer in answers.items()
    }
    assert found == dict(CASES)


def test_every_value_is_known_to_be_a_path_or_not():
    """A new metavar is put into PATHS, or here."""
    texts = {
        "SECTION.KEY=VALUE",
        "SPAN",
        "N",
        "MB",
        "NAME",
        "NAME,...",
        "NAME=PATH",
        "NAME=FILE",
        "SHELL",
        "SHARE",
        "ORDER",
        "IMAGE",
    }
    entries = [entry for command in COMMANDS for entry in getattr(command, "actions", (command,))]
    metavars = {
        option.settings.get("metavar")
        for entry in entries
        for option in entry.options
        if option.settings.get("action") != "store_true" and "choices" not in option.settings
    }
    assert metavars <= texts | set(PATHS)
