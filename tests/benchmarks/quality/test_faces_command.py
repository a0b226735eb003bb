"""What the command measures when asked, and what it refuses."""

import importlib
import json

import pytest

from benchmarks.quality import faces
from benchmarks.quality.face_bars import weights
from benchmarks.quality.face_bars.bar import Bar
from synfiqa.schemas.errors import UserError


def test_without_a_run_all_that_needs_none_is_measured():
    assert set(faces.SUBJECTS) - set(faces.chosen(None, with_run=False)) == set(faces.NEED_A_RUN)
    assert faces.chosen(None, with_run=True) == faces.SUBJECTS


def test_subjects_come_in_the_order_of_the_table():
    assert faces.chosen("weights,dual-encoder,detection", with_run=False) == ("detection", "dual_encoder", "weights")


@pytest.mark.parametrize(("only", "told"), [("speed", "choose some of detection"), ("labels", "--run runs/quickstart")])
def test_wrong_subjects_are_told_the_way_out(only, told):
    with pytest.raises(UserError, match=told):
        faces.chosen(only, with_run=False)


def test_every_subject_has_a_measure():
    for name in faces.SUBJECTS:
        assert callable(importlib.import_module(f"benchmarks.quality.face_bars.{name}").measure)


def test_the_weights_are_printed_and_written(tmp_path, monkeypatch, capsys):
    target = tmp_path / "bars.json"
    monkeypatch.setattr("sys.argv", ["faces", "--only", "weights", "--json", str(target)])
    faces.main()
    assert "all bundled weights" in capsys.readouterr().out
    (bar,) = json.loads(target.read_text())["bars"]
    assert 1 < bar["value"] < 20
    assert bar["limit"] == 11


def test_an_unmet_bar_is_printed_and_no_error(monkeypatch, capsys):
    monkeypatch.setattr(weights, "measure", lambda settings: [Bar("weights", "all bundled weights", 9.5, 8.0)])
    monkeypatch.setattr("sys.argv", ["faces", "--only", "weights"])
    faces.main()
    printed = capsys.readouterr().out
    assert "NOT MET" in printed
    assert "0 of 1 bars met" in printed
