"""Failures of workers are kept in the run, bounded in size and number, and never cost the work themselves."""

import json
import sys

import pytest

from synfiqa.cluster.run import events
from synfiqa.cluster.run.events import keep_event, log_end, own_log
from synfiqa.cluster.run.file_roles import role_of
from synfiqa.cluster.storage.storage import Storage
from synfiqa.cluster.telemetry.log_lines import FIELDS


@pytest.fixture
def storage(tmp_path):
    return Storage(str(tmp_path / "run"))


def kept(storage):
    return [json.loads(storage.read(path)) for path in storage.list(events.FOLDER)]


def test_an_event_has_the_fields_of_a_log_line_traceback_and_log(storage):
    keep_event(storage, "unit", "ValueError: no", unit="samples-000002", stage="annotator", trace="T" * 9, log="L")
    (event,) = kept(storage)
    assert tuple(event)[: len(FIELDS)] == FIELDS
    assert (event["run"], event["unit"], event["stage"]) == (storage.uri(), "samples-000002", "annotator")
    assert (event["level"], event["traceback"], event["log"]) == ("error", "T" * 9, "L")


def test_events_are_bounded_in_size_and_number(storage, monkeypatch):
    monkeypatch.setattr(events, "MOST_EVENTS", 2)
    for _ in range(4):
        keep_event(storage, "rows", "no", trace="x" * 10**6 + "end", log="y" * 10**6)
    assert len(kept(storage)) == 2
    assert kept(storage)[0]["traceback"].endswith("end")
    assert all(storage.size(path) < 3 * events.MOST_TEXT for path in storage.list(events.FOLDER))


def test_one_failure_that_two_processes_find_is_one_event(storage):
    for _ in range(2):
        keep_event(storage, "process", "died", key="0123456789abcdef")
    assert storage.list(events.FOLDER) == ["events/process-0123456789ab.json"]
    assert role_of("events/process-0123456789ab.json") == "event"


def test_credentials_in_urls_are_left_out(storage):
    keep_event(storage, "job", "cannot read s3://key:secret@bucket/run", log="at https://u:p@host/x?token=1")
    assert b"secret" not in storage.read(storage.list(events.FOLDER)[0])
    assert b"token" not in storage.read(storage.list(events.FOLDER)[0])


def test_a_store_that_fails_costs_the_event_only(storage, monkeypatch):
    def broken(*_):
        raise OSError("the disk is gone")

    monkeypatch.setattr(Storage, "list", broken)
    keep_event(storage, "unit", "no")


def test_the_end_of_a_log_is_read_and_a_missing_one_is_empty(tmp_path):
    log = tmp_path / "worker.err"
    log.write_bytes(b"a" * 20_000 + "grün \xff".encode("latin-1"))
    assert len(log_end(str(log))) == events.MOST_TEXT
    assert log_end(str(log)).endswith("gr�n �")
    assert log_end("") == log_end(str(tmp_path / "none")) == ""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_stderr_of_a_process_is_found_where_it_is_a_file(tmp_path):
    import subprocess

    path = tmp_path / "err"
    with path.open("wb") as file:
        program = "from synfiqa.cluster.run.events import own_log; print(own_log())"
        done = subprocess.run([sys.executable, "-c", program], stderr=file, stdout=subprocess.PIPE, check=True)
    assert done.stdout.decode().strip() == str(path)
    assert isinstance(own_log(), str)
