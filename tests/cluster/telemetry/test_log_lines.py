"""Lines on stderr: text by default, one JSON object a line when chosen, whatever writes them."""

import json
import logging
import sys
import warnings

import pytest

from synfiqa.cluster.telemetry import log_lines
from synfiqa.cluster.telemetry.log_lines import FIELDS, bind, bound, emit, lines_as
from synfiqa.cluster.telemetry.progress import Phase, announce
from synfiqa.jobs.command import Command, option, run_command
from synfiqa.schemas.errors import UserError


@pytest.fixture(autouse=True)
def _fresh(monkeypatch):
    monkeypatch.setattr(log_lines, "_context", {})


@pytest.fixture
def lines(capsys):
    return lambda: [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_text_is_the_default(capsys):
    announce("nodes join")
    assert capsys.readouterr().err == "synfiqa: nodes join\n"


def test_a_json_line_has_all_fields_in_order_and_null_where_there_is_none(lines):
    with lines_as("json"):
        with bound(run="s3://b/r", unit="samples-000003"):
            bind(stage="annotator")
            emit("Größe\n2", "warning")
        announce("nodes join")
    first, second = lines()
    assert tuple(first) == tuple(second) == FIELDS
    assert [first[name] for name in FIELDS[1:4]] == ["warning", "s3://b/r", "samples-000003"]
    assert (first["stage"], first["message"]) == ("annotator", "Größe\n2")
    assert (second["level"], second["run"], second["unit"], second["stage"]) == ("info", None, None, None)


def test_progress_is_a_line_with_its_numbers_even_on_a_terminal(lines, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with lines_as("json"):
        phase = Phase("samples", 10, "images")
        phase.advance(4, {"dead": 1})
        phase.close("stopped")
    (line,) = lines()
    assert "done=4 planned=10 dead=1" in line["message"]
    assert line["progress"]["done"] == 4


def test_warnings_and_records_of_libraries_are_lines_too(lines):
    with lines_as("json"):
        logging.getLogger("synfiqa.cluster.telemetry.gpu_sampler").warning("the GPU is not traced")
        warnings.warn("old", DeprecationWarning, stacklevel=1)
        try:
            raise KeyError("k")
        except KeyError:
            logging.getLogger("urllib3").exception("no answer")
    found = lines()
    assert [line["level"] for line in found] == ["warning", "warning", "error"]
    assert found[0]["message"] == "synfiqa.cluster.telemetry.gpu_sampler: the GPU is not traced"
    assert "KeyError: 'k'" in found[2]["traceback"]
    assert not logging.getLogger().handlers or log_lines._HANDLER not in logging.getLogger().handlers


def test_an_error_that_nothing_handles_is_one_line_with_its_traceback(lines):
    with lines_as("json"):
        try:
            raise ZeroDivisionError("by zero")
        except ZeroDivisionError as error:
            sys.excepthook(type(error), error, error.__traceback__)
    (line,) = lines()
    assert line["message"] == "ZeroDivisionError: by zero"
    assert line["traceback"].startswith("Traceback")
    assert sys.excepthook is sys.__excepthook__


def test_every_command_takes_the_format_and_its_errors_follow_it(lines):
    def fail(options):
        raise UserError("name another folder")

    with pytest.raises(SystemExit) as stop:
        Command("act", "act", (option("--loud", action="store_true"),), fail).main(["--log", "json"])
    assert stop.value.code == 2
    (line,) = lines()
    assert (line["level"], line["message"]) == ("error", "name another folder")
    assert not log_lines.is_json(), "the format ends with the job"


def test_an_interrupt_is_a_line_and_keeps_its_exit_code(lines):
    def interrupt():
        raise KeyboardInterrupt

    with lines_as("json"):
        assert run_command(interrupt) == 130
    assert lines()[0]["message"].startswith("interrupted")


def test_another_format_is_refused():
    with pytest.raises(ValueError, match="text or json, not xml"):
        log_lines.use("xml")
