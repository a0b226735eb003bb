"""Progress: honest counts, never above the plan, the last line equal to the outcome."""

import io

from cluster.progress import Phase


def test_log_lines_come_at_their_interval_and_one_at_the_end():
    out = io.StringIO()
    phase = Phase("samples", 4, "images", out, log_interval=1000)
    phase.advance(2)
    assert out.getvalue() == ""
    phase.advance(2, {"rejected": 1})
    phase.close("done")
    assert out.getvalue().count("\n") == 1
    assert "4/4 images" in out.getvalue()
    assert "1 rejected" in out.getvalue()


def test_done_never_exceeds_the_plan():
    phase = Phase("samples", 3, "images", io.StringIO())
    phase.resume(2)
    phase.advance(5)
    assert phase.done == 3


def test_work_of_an_earlier_submit_does_not_inflate_the_rate():
    phase = Phase("samples", 100, "images", io.StringIO())
    phase.resume(90)
    assert "ETA unknown" in phase.line()
    assert "/s" not in phase.line()
