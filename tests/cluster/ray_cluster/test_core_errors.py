"""Reports of Ray's core are a sentence on standard error; tracebacks stood between the results on standard output."""

import json

import pytest
from ray._private import worker

from synfiqa.cluster.ray_cluster.core_errors import announce_core_errors
from synfiqa.cluster.telemetry.log_lines import lines_as

RETRIED = (
    "Task MapWorker(MapBatches(identity_generator)).get_location failed. There are infinite retries remaining, so the "
    "task will be retried. Error: Traceback (most recent call last):\n  File ..."
)
KILLED = "1 Workers (tasks / actors) killed due to memory pressure (OOM).\nSet RAY_memory_usage_threshold ..."


@pytest.fixture
def report(monkeypatch):
    """Report a text as Ray does where it listens for errors."""
    monkeypatch.setattr(worker, "print_to_stdstream", worker.print_to_stdstream)
    announce_core_errors()
    return lambda text: worker.print_to_stdstream(
        {"lines": [text], "pid": "raylet", "is_err": False}, ignore_prefix=False
    )


def test_a_report_is_its_first_line_on_standard_error(report, capsys):
    report(KILLED)
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "synfiqa: Ray reports: 1 Workers (tasks / actors) killed due to memory pressure (OOM).\n"


def test_a_task_that_is_tried_again_is_no_news(report, capsys):
    """It was printed whenever the first half of a run ended with units in flight, sixty lines long."""
    report(RETRIED)
    assert capsys.readouterr() == ("", "")


def test_a_report_is_json_where_lines_are(report, capsys):
    with lines_as("json"):
        report(KILLED)
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["level"] == "warning"


def test_ray_still_listens_by_that_function():
    """A private name: another version of Ray may print in another way."""
    assert "print_to_stdstream" in worker.listen_error_messages.__code__.co_names
