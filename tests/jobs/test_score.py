"""The score job: one CSV, whole or not at all, for photographs of any kind."""

import csv

import cv2
import numpy as np
import pytest
from PIL import Image
from skimage import data

from cluster.errors import UserError
from jobs.score import COLUMNS, run_score


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    astronaut = data.astronaut()
    Image.fromarray(astronaut).save(folder / "astronaut.png")
    Image.fromarray(cv2.GaussianBlur(astronaut, (0, 0), 2)).save(folder / "more" / "soft, quoted.jpg")
    Image.fromarray(np.full((200, 200, 3), 128, np.uint8)).save(folder / "nobody.png")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff no")
    (folder / "readme.txt").write_text("not a photo")
    return folder


def read(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_photo_has_a_row_with_a_score_or_a_reason(photos, model, tmp_path):
    out = tmp_path / "scores.csv"
    assert run_score([photos], model, out) == {"scored": 2, "without a face": 1, "unreadable": 1}
    rows = {row["path"].rpartition("/")[2]: row for row in read(out)}
    assert tuple(next(iter(rows.values()))) == COLUMNS
    assert rows.keys() == {"astronaut.png", "soft, quoted.jpg", "nobody.png", "broken.jpg"}
    for name in ("astronaut.png", "soft, quoted.jpg"):
        assert np.isfinite(float(rows[name]["score"]))
        assert rows[name]["reason"] == ""
        assert float(rows[name]["detection"]) > 0.9
        x0, y0, x1, y1 = (float(rows[name][key]) for key in ("x0", "y0", "x1", "y1"))
        assert x0 < 224 < x1, "the astronaut's nose"
        assert y0 < 120 < y1
    assert rows["nobody.png"]["score"] == ""
    assert rows["nobody.png"]["reason"] == "no face found"
    assert "damaged" in rows["broken.jpg"]["reason"] or "not an image" in rows["broken.jpg"]["reason"]


def test_the_same_photo_has_the_same_score_alone_and_among_others(photos, model, tmp_path):
    run_score([photos], model, tmp_path / "all.csv")
    run_score([photos / "astronaut.png"], model, tmp_path / "one.csv")
    alone = read(tmp_path / "one.csv")[0]
    together = next(row for row in read(tmp_path / "all.csv") if row["path"].endswith("astronaut.png"))
    assert float(alone["score"]) == pytest.approx(float(together["score"]), abs=1e-5)


def test_wrong_arguments_are_one_sentence_and_write_nothing(photos, model, tmp_path):
    out = tmp_path / "scores.csv"
    for paths, network, target, message in (
        ([tmp_path / "absent"], model, out, "does not exist"),
        ([photos], str(tmp_path / "absent"), out, "no run folder"),
        ([photos], str(photos / "readme.txt"), out, "no run folder"),
        ([photos], model, photos, "is a folder"),
    ):
        with pytest.raises(UserError, match=message):
            run_score(paths, network, target)
    assert not out.exists()


def test_an_older_csv_survives_a_failing_job(photos, model, tmp_path, monkeypatch):
    out = tmp_path / "scores.csv"
    out.write_text("precious")

    def fail(*_):
        raise RuntimeError("detector gone")

    monkeypatch.setattr("jobs.score.MtcnnDetector", fail)
    with pytest.raises(RuntimeError):
        run_score([photos], model, out)
    assert out.read_text() == "precious"
