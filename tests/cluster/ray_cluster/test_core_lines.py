"""What Ray's core writes to standard error beside Python is held back, and is JSON where lines are JSON."""

import json
import os

from synfiqa.cluster.ray_cluster.core_lines import core_lines_as_ours
from synfiqa.cluster.telemetry.log_lines import lines_as

NOTE = b"[2026-01-01 00:00:00,000 I 1 1] logging.cc:303: Set ray log level from environment variable X to 3\n"


def test_a_line_of_the_core_is_json_and_the_note_is_left_out(capfd):
    """Under `--log json` the note stood as text between the lines of JSON."""
    with lines_as("json"), core_lines_as_ours():
        os.write(2, NOTE + b"[E] no route to host\n")
    (line,) = capfd.readouterr().err.splitlines()
    assert json.loads(line)["message"] == "[E] no route to host"


def test_text_stays_text_and_an_error_inside_comes_out(capfd):
    try:
        with core_lines_as_ours():
            os.write(2, NOTE + b"[E] no route to host\n")
            raise ValueError
    except ValueError:
        os.write(2, b"after\n")
    assert capfd.readouterr().err == "[E] no route to host\nafter\n"
