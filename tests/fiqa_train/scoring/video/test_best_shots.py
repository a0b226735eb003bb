"""Best shots of a clip that is made here: the sharp moment wins, with its time; needs the extra `video`."""

import csv
import sys

import cv2
import numpy as np
import pytest
from skimage import data

from synfiqa.fiqa_train.scoring.video.best_shots import run_best_shots
from synfiqa.jobs.cli import main
from synfiqa.schemas.errors import JobFailed, UserError

ASTRONAUT = data.astronaut()
RATE = 10


def clip(path, pictures):
    """Write one frame a picture, ten a second."""
    av = pytest.importorskip("av")
    height, width = pictures[0].shape[:2]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=RATE)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = width, height, "yuv420p", 8_000_000
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")))
        container.mux(stream.encode())
    return path


def read(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def moving(tmp_path_factory):
    """Three seconds of a moving face, out of focus but for the second between 1 and 2 s; two frames are empty."""
    soft = cv2.GaussianBlur(ASTRONAUT, (0, 0), 3)
    frames = []
    for number in range(30):
        frame = np.full((512, 640, 3), 90, np.uint8)
        if number not in (4, 5):
            frame[:, number * 4 : number * 4 + 512] = ASTRONAUT if 10 <= number < 20 else soft
        frames.append(frame)
    return clip(tmp_path_factory.mktemp("clip") / "moving.mp4", frames)


def test_the_best_shots_of_a_person_are_in_the_sharp_second(moving, tmp_path):
    out = tmp_path / "shots.csv"
    tally = run_best_shots([moving], ["bundled-quality"], str(out), 2, preview=tmp_path / "sheet")
    rows = read(out)
    assert tally.scored == 2
    assert [(row["track"], row["rank"]) for row in rows] == [("1", "1"), ("1", "2")]
    assert float(rows[0]["score"]) >= float(rows[1]["score"]) > 0.5
    assert all(1.0 <= float(row["time"]) < 2.0 for row in rows)
    assert abs(float(rows[0]["time"]) - float(rows[1]["time"])) >= 0.5
    shift = float(rows[0]["time"]) * RATE * 4
    assert float(rows[0]["x0"]) == pytest.approx(181 + shift, abs=8), "the box is that of the moment"
    page = (tmp_path / "sheet" / "index.html").read_text()
    assert page.count("data:image/jpeg") == 2
    assert "track 1" in page


def test_what_is_no_video_has_a_reason_and_all_failing_is_a_failure(moving, tmp_path):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    out = tmp_path / "shots.csv"
    run_best_shots([broken, moving], ["sharpness"], str(out), 1)
    first, second = read(out)
    assert "cannot be decoded" in first["reason"]
    assert (second["reason"], second["track"]) == ("", "1")
    empty = clip(tmp_path / "empty.mp4", [np.full((256, 256, 3), 90, np.uint8)] * 6)
    with pytest.raises(JobFailed, match="nothing could be scored \\(1 without a face\\)"):
        run_best_shots([empty], ["sharpness"], str(tmp_path / "none.csv"), 1)


def test_a_clip_is_never_replaced_by_its_shots(moving, tmp_path):
    link = tmp_path / "shots.csv"
    link.symlink_to(moving)
    with pytest.raises(UserError, match="is one of the photographs"):
        run_best_shots([moving], ["sharpness"], str(link), 1)


def test_without_the_extra_one_sentence_names_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "av", None)
    (tmp_path / "clip.mp4").write_bytes(b"x")
    with pytest.raises(SystemExit) as stop:
        main(["score", str(tmp_path / "clip.mp4"), "--best", "3", "--out", str(tmp_path / "shots.csv")])
    assert stop.value.code == 2
    expected = "synfiqa: videos need PyAV: install the extra with `pip install 'synfiqa[video]'`\n"
    assert capsys.readouterr().err == expected
