"""Progress: counts never above the plan, the last line equal to the final counts."""

import gc
import io
import json
import re
import threading
import time

from synfiqa.cluster.telemetry.progress import Phase, stop_live_lines


def fields(line: str) -> dict[str, str]:
    return {key: value.strip('"') for key, value in re.findall(r'(\S+?)=("[^"]*"|\S+)', line)}


def test_a_log_gets_one_structured_line_at_the_end_that_equals_the_counts():
    out = io.StringIO()
    phase = Phase("samples", 4, "images", out, log_interval=1000)
    phase.advance(2)
    assert out.getvalue() == ""
    phase.advance(2, {"rejected:glasses": 1, "dead": 2})
    phase.close("all of them")
    assert out.getvalue().count("\n") == 1
    found = fields(out.getvalue())
    assert found | {"rate": "", "took": ""} == {
        "phase": "samples",
        "done": "4",
        "planned": "4",
        "rejected:glasses": "1",
        "dead": "2",
        "rate": "",
        "took": "",
        "note": "all of them",
    }


def test_log_lines_come_at_their_interval_without_progress_too():
    out = io.StringIO()
    phase = Phase("samples", 4, "images", out, log_interval=0.02)
    phase.advance(1)
    end = time.monotonic() + 5
    while out.getvalue().count("\n") < 3 and time.monotonic() < end:
        time.sleep(0.01)
    lines = out.getvalue().splitlines()
    phase.close()
    assert len(lines) >= 3
    assert all(line.startswith("phase=samples done=1 planned=4 ") for line in lines)


def test_a_closed_or_abandoned_phase_writes_no_more_lines():
    closed, abandoned, failed = io.StringIO(), io.StringIO(), io.StringIO()
    before = threading.active_count()
    Phase("a", 4, "images", closed, log_interval=0.01).close()
    Phase("b", 4, "images", abandoned, log_interval=0.01)
    phase = Phase("c", 4, "images", failed, log_interval=0.01)
    stop_live_lines()
    gc.collect()
    end = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < end:
        time.sleep(0.01)
    assert threading.active_count() <= before
    lines = [stream.getvalue().count("\n") for stream in (closed, abandoned, failed)]
    time.sleep(0.05)
    assert [stream.getvalue().count("\n") for stream in (closed, abandoned, failed)] == lines
    assert phase.done == 0


def test_done_never_exceeds_the_plan():
    phase = Phase("samples", 3, "images", io.StringIO())
    phase.resume(2)
    phase.advance(5)
    assert phase.done == 3
    assert phase.snapshot()["done"] == 3


def test_resumed_work_does_not_count_in_the_rate():
    phase = Phase("samples", 100, "images", io.StringIO())
    phase.resume(40)
    phase.resume(50, {"dead": 1})
    assert "ETA unknown" in phase.line()
    assert "/s" not in phase.line()
    assert fields(phase.log_line())["eta"] == "unknown"
    assert phase.snapshot()["rate"] is None


def test_a_snapshot_is_json_with_the_values_of_the_line():
    phase = Phase("samples", 10, "images", io.StringIO())
    phase.advance(4, {"dead": 1})
    snapshot = json.loads(json.dumps(phase.snapshot()))
    assert {key: snapshot[key] for key in ("phase", "unit", "done", "planned", "counts")} == {
        "phase": "samples",
        "unit": "images",
        "done": 4,
        "planned": 10,
        "counts": {"dead": 1},
    }
    assert snapshot["rate"] > 0
    assert snapshot["eta_s"] > 0


def test_names_with_spaces_stay_one_field():
    phase = Phase("samples", 10, "images", io.StringIO())
    phase.advance(1, {"dead shards": 2})
    assert fields(phase.log_line('say "no"'))["dead_shards"] == "2"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_line_of_text():
    out = Terminal()
    phase = Phase("samples", 4, "images", out)
    phase.advance(4, {"rejected": 1})
    phase.close("done")
    last = out.getvalue().splitlines()[-1]
    assert "4/4 images | 1 rejected" in last
    assert last.endswith("| done")
