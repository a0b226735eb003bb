"""`synfiqa score` as a process: interrupted and killed, it keeps its rows and the same command goes on."""

import csv
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image
from skimage import data

from synfiqa.jobs.cli import main
from synfiqa.jobs.score_options import models_of
from synfiqa.schemas.errors import UserError

pytestmark = pytest.mark.e2e

COUNT = 48
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))  # noqa: PTH100, PTH120


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for number in range(COUNT):
        Image.fromarray(np.roll(data.astronaut(), number, axis=1)).save(folder / f"{number:02d}.png")
    return folder


def command(photos, out):
    return [sys.executable, "-m", "synfiqa.jobs.score", str(photos), "--out", str(out), "--batch", "2"]


def _heed_interrupts():
    """Undo that a test run in the background of a shell ignores SIGINT, which its children inherit."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_a_stopped_command_keeps_its_rows_and_goes_on(photos, tmp_path, sent, code):
    """Ctrl-C said "run the same command again to go on", but no row had been kept."""
    out = tmp_path / "scores.csv"
    process = subprocess.Popen(
        command(photos, out), cwd=ROOT, stderr=subprocess.PIPE, text=True, preexec_fn=_heed_interrupts
    )
    deadline = time.monotonic() + 240
    while not out.exists() or out.stat().st_size < 700:
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(sent)
    assert process.wait(60) == code
    process.communicate()
    before = rows(out)[:-1]  # a kill may cut the last
    assert 0 < len(before) < COUNT
    done = subprocess.run(command(photos, out), cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"of {COUNT} are in {out} already: going on with the rest" in done.stderr
    after = rows(out)
    assert after[: len(before)] == before
    assert [row["path"] for row in after] == [str(photos / f"{number:02d}.png") for number in range(COUNT)]
    assert all(row["score"] for row in after)
    assert [path.name for path in tmp_path.iterdir()] == ["scores.csv"]


def test_a_reader_that_closes_the_pipe_ends_the_command_in_one_sentence(photos):
    process = subprocess.Popen(
        command(photos, "-"), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("path,face,faces,")
    process.stdout.close()
    assert process.stderr is not None
    error = process.stderr.read()
    assert process.wait(120) == 1
    assert "the reader of standard output closed it" in error
    assert "Traceback" not in error


def test_the_help_names_the_scale_and_a_first_threshold(capsys):
    with pytest.raises(SystemExit):
        main(["score", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert "lies about between 0 and 1" in text
    assert "discard below percentile 10 (a score of 0.29 of bundled-quality)" in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--aligned", "--all-faces"], "--aligned takes crops as they are"),
        (["--device", "gpu"], "--device gpu is no device"),
        (["--model", ","], "--model is empty"),
        (["--out", "s3://bucket/scores.csv"], "--out writes to this machine"),
        (["--preview", "s3://bucket/sheet"], "--preview writes to this machine"),
        (["--out", "scores.txt"], "the ending decides the format"),
    ],
)
def test_wrong_requests_end_with_2(photos, options, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        main(["score", str(photos), *options])
    assert stop.value.code == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_names_of_scorers_are_separated_by_commas_and_paths_may_hold_them(tmp_path, monkeypatch):
    assert models_of("bundled-quality, sharpness") == ["bundled-quality", "sharpness"]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run,1").mkdir()
    assert models_of("run,1") == ["run,1"]
    with pytest.raises(UserError, match="--model is empty"):
        models_of(" , ")
