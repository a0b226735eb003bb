"""What every command shares: one sentence and a documented exit code for each failure."""

import pytest

from synfiqa.cluster.pipeline.ray_session import Terminated
from synfiqa.jobs.command import EXIT_CODES, Command, CommandGroup, option, run_command
from synfiqa.schemas.errors import JobFailed, RunHeld, StorageRefused, StorageUnavailable, TooManyDead, UserError

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


def test_every_exit_code_is_documented():
    assert {f"  {code} " in EXIT_CODES for code in {0, *CODES.values()}} == {True}


@pytest.mark.parametrize(("error", "code"), CODES.items())
def test_exit_codes(capsys, error, code):
    def fail():
        raise error("no such luck")

    assert run_command(fail) == code
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert ("run the same command again" if code > 128 else "synfiqa: no such luck") in said


def test_an_unexpected_error_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        run_command(lambda: 1 / 0)


def test_a_command_gets_its_options_and_a_group_its_action():
    seen = []
    act = Command("act", "act", (option("--loud", action="store_true"),), seen.append)
    for command, arguments in ((act, ["--loud"]), (CommandGroup("stage", "act on a stage", (act,)), ["act"])):
        with pytest.raises(SystemExit) as stop:
            command.main(arguments)
        assert stop.value.code == 0
    assert [options.loud for options in seen] == [True, False]
    assert seen[1].action == "act"
