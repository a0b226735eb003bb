"""`status --watch`: looks again until no driver holds the run, as lines for people or as JSON lines."""

import json

import pytest

from synfiqa.cluster.run.lease import hold
from synfiqa.cluster.storage.storage import Storage
from synfiqa.jobs.cli import main
from synfiqa.jobs.terminal import status_watch
from synfiqa.jobs.terminal.status_watch import EVERY_S, LAST_LOOKS, watch_status
from tests.cluster.finished_run import finished_run


@pytest.fixture
def run(tmp_path):
    storage, _, _ = finished_run(tmp_path)
    return storage


def test_a_run_without_a_driver_is_shown_once(run, capsys):
    watch_status(lambda: run, sleep=lambda _: pytest.fail("nothing to wait for"))
    assert capsys.readouterr().out.count("state       finished") == 1


def test_it_ends_some_looks_after_the_driver_and_survives_the_change_of_drivers(run, capsys):
    """`synfiqa run` gives the run back between generate and label."""
    drivers = iter([hold(run, 60), None, hold(run, 60), None, None, None, None])
    held, slept = [], []

    def sleep(seconds):
        slept.append(seconds)
        while held:
            held.pop().__exit__(None, None, None)
        if (driver := next(drivers)) is not None:
            driver.__enter__()
            held.append(driver)

    sleep(EVERY_S)
    watch_status(lambda: run, as_json=True, sleep=sleep)
    states = [json.loads(line)["state"] for line in capsys.readouterr().out.splitlines()]
    assert states == ["running", "finished", "running", *["finished"] * LAST_LOOKS]
    assert set(slept) == {EVERY_S}


def test_a_terminal_is_cleared_for_each_look(run, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    watch_status(lambda: run)
    assert capsys.readouterr().out.startswith("\x1b[H\x1b[2J")


def test_the_command_ends_with_0_and_an_interrupt_with_130(run, capsys, monkeypatch):
    arguments = ["status", str(run.local()), "--watch", "--json"]
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 0
    assert json.loads(capsys.readouterr().out)["shards"] == {"planned": 3, "done": 3}

    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(status_watch, "watch_status", lambda storage, **o: watch_status(storage, sleep=interrupt, **o))
    with hold(Storage(run.url), 60), pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 130


def test_failures_that_the_run_keeps_are_counted(run, capsys):
    watch_status(lambda: run)
    assert "events" not in capsys.readouterr().out
    run.write("events/unit-0123456789ab.json", b"{}")
    watch_status(lambda: run)
    assert f"events      1 failure of workers, kept in {run.uri()}/events/" in capsys.readouterr().out
