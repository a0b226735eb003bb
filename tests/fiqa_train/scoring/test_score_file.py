"""The score job: one CSV, whole or not at all, for photographs of any kind."""

import csv

import cv2
import numpy as np
import pytest
from PIL import Image
from skimage import data

from synfiqa.fiqa_train.scoring.score_file import COLUMNS, run_score
from synfiqa.jobs.cli import main
from synfiqa.schemas.errors import UserError


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

    def fail(*_, **__):
        raise RuntimeError("detector gone")

    monkeypatch.setattr("synfiqa.fiqa_train.scoring.photographs.PhotoSearch", fail)
    with pytest.raises(RuntimeError):
        run_score([photos], model, out)
    assert out.read_text() == "precious"


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("named", ["file", "folder"])
@pytest.mark.parametrize("spelling", ["absolute", "relative", "dots", "symlink", "hard link", "linked folder"])
def test_no_photograph_is_replaced_by_scores(photos, model, tmp_path, monkeypatch, named, spelling):
    """`score one --out one/p.jpg` ended well, and the photograph was a CSV."""
    monkeypatch.chdir(tmp_path)
    photo = photos / "more" / "soft, quoted.jpg"
    (tmp_path / "link.jpg").symlink_to(photo)
    (tmp_path / "hard.jpg").hardlink_to(photo)
    (tmp_path / "linked").symlink_to(photos)
    out = {
        "absolute": photo,
        "relative": photo.relative_to(tmp_path),
        "dots": photos / ".." / "photos" / "more" / photo.name,
        "symlink": tmp_path / "link.jpg",
        "hard link": tmp_path / "hard.jpg",
        "linked folder": tmp_path / "linked" / "more" / photo.name,
    }[spelling]
    before = contents(tmp_path)
    with pytest.raises(UserError, match="is one of the photographs: give --out another name"):
        run_score([photo if named == "file" else photos], model, out)
    assert contents(tmp_path) == before
    assert (tmp_path / "link.jpg").is_symlink()


def test_a_photograph_that_is_a_link_keeps_what_it_leads_to(photos, model, tmp_path):
    original = tmp_path / "original.jpg"
    (photos / "more" / "soft, quoted.jpg").replace(original)
    (photos / "linked.jpg").symlink_to(original)
    (photos / "broken-link.jpg").symlink_to(tmp_path / "gone.jpg")
    before = contents(tmp_path)
    for out in (original, photos / "linked.jpg", photos / "broken-link.jpg"):
        with pytest.raises(UserError, match="is one of the photographs"):
            run_score([photos], model, out)
    assert contents(tmp_path) == before
    assert (photos / "broken-link.jpg").is_symlink()


def test_scores_in_place_of_a_photograph_exit_2(photos, capsys):
    photo = photos / "astronaut.png"
    before = photo.read_bytes()
    with pytest.raises(SystemExit) as stop:
        main(["score", str(photos), "--out", str(photo)])
    assert stop.value.code == 2
    assert capsys.readouterr().err == (
        f"synfiqa: {photo} is one of the photographs: give --out another name, such as scores.csv\n"
    )
    assert photo.read_bytes() == before


def test_older_scores_among_the_photographs_are_replaced(photos, model):
    out = photos / "scores.csv"
    out.write_text("of another program")
    run_score([photos], model, out)
    first = out.read_bytes()
    run_score([photos], model, out)
    assert out.read_bytes() == first
    assert run_score(sorted(photos.iterdir()), model, out)["scored"] == 2, "as `photos/*` names it too"
    assert "not an image" in {row["path"]: row["reason"] for row in read(out)}[str(out)]


def test_scores_may_lie_in_a_folder_named_like_a_store(photos, model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_score([photos / "nobody.png"], model, "./s3:/scores.csv")
    assert len(read(tmp_path / "s3:" / "scores.csv")) == 1
