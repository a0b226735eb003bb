"""The score job: one file of scores for photographs of any kind."""

import csv

import cv2
import numpy as np
import pytest
from PIL import Image
from skimage import data

from synfiqa.actors.quality.guard import GuardedScorer
from synfiqa.fiqa_train.scoring import sources
from synfiqa.fiqa_train.scoring.photographs import Score, SearchOptions
from synfiqa.fiqa_train.scoring.score_file import by_photograph, run_score
from synfiqa.fiqa_train.training.checkpoints import load_quality_model
from synfiqa.jobs.cli import main
from synfiqa.schemas.errors import JobFailed, UserError


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
    assert run_score([photos], model, out).outcomes == {"scored": 2, "without a face": 1, "unreadable": 1}
    rows = {row["path"].rpartition("/")[2]: row for row in read(out)}
    digest = load_quality_model(model).card.sha256
    assert {(row["model"], row["digest"]) for row in rows.values()} == {(model, digest)}
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
    images = [path for path in sorted(photos.iterdir()) if path.suffix != ".txt"]
    assert run_score(images, model, out).scored == 2, "as `photos/*` names it too"
    assert str(out) not in {row["path"] for row in read(out)}


def test_scores_may_lie_in_a_folder_named_like_a_store(photos, model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_score([photos / "astronaut.png"], model, "./s3:/scores.csv")
    assert len(read(tmp_path / "s3:" / "scores.csv")) == 1


def test_nothing_scored_is_a_failure_that_keeps_its_reasons(photos, model, tmp_path, capsys):
    """A folder of which no file could be read ended with exit code 0."""
    with pytest.raises(SystemExit) as stop:
        main(["score", str(photos / "nobody.png"), "--model", model, "--out", str(tmp_path / "scores.csv")])
    assert stop.value.code == 1
    assert "nothing could be scored (1 without a face)" in capsys.readouterr().err
    assert read(tmp_path / "scores.csv")[0]["reason"] == "no face found"


def test_standard_output_has_the_rows_alone(photos, model, tmp_path, monkeypatch, capfdbinary):
    """`--out -` made a file named "-"."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        main(["score", str(photos), "--model", model, "--out", "-"])
    assert stop.value.code == 0
    out, err = capfdbinary.readouterr()
    assert len(list(csv.DictReader(out.decode().splitlines()))) == 4
    assert b"mean score" in err
    assert not (tmp_path / "-").exists()


def test_several_scorers_have_columns_each(photos, model, tmp_path):
    out = tmp_path / "scores.csv"
    run_score([photos / "astronaut.png"], ["bundled-quality", "sharpness", model], out)
    (row,) = read(out)
    assert row["model"] == "bundled-quality"
    assert 0.55 < float(row["score"]) < 0.75
    assert 40 < float(row["percentile"]) < 80
    assert 40 < float(row["scalar"]) < 80
    assert (row["percentile:sharpness"], row["digest:sharpness"]) == ("", "built-in")
    assert float(row["score:sharpness"]) > 0
    assert row[f"digest:{model}"] == load_quality_model(model).card.sha256


class Broken:
    """Returns NaN for every face."""

    card = load_quality_model("bundled-quality").card

    def score(self, images):
        return np.full(len(images), np.nan)


def test_a_score_that_is_not_a_number_is_a_reason(photos, tmp_path, monkeypatch):
    """NaN stood in the column of scores, "1 scored", exit code 0."""
    monkeypatch.setattr(sources, "open_scorer", lambda name, _: GuardedScorer(name, Broken()))
    out = tmp_path / "scores.csv"
    with pytest.raises(JobFailed, match="nothing could be scored \\(1 without a finite score\\)"):
        run_score([photos / "astronaut.png"], "broken", out)
    (row,) = read(out)
    assert (row["score"], row["reason"]) == ("", "the score by broken is not a finite number")


def test_several_faces_are_counted_and_warned_of(photos, model, tmp_path, capsys):
    """In one picture of forty the largest face was not the person meant, and nothing said that there were others."""
    pair = np.hstack([data.astronaut(), data.astronaut()])
    Image.fromarray(pair).save(photos / "pair.png")
    out = tmp_path / "scores.csv"
    run_score([photos], model, out)
    assert {row["path"].rpartition("/")[2]: row["faces"] for row in read(out)}["pair.png"] == "2"
    assert "1 photograph shows several faces (column faces), and the largest one was scored" in capsys.readouterr().err
    run_score([photos], model, out, SearchOptions(all_faces=True))
    assert [row["face"] for row in read(out) if row["path"].endswith("pair.png")] == ["0", "1"]
    assert "several faces" not in capsys.readouterr().err


def test_rows_of_a_photograph_stay_together_and_come_at_once():
    rows = [Score("a", 0, 2), Score("a", 1, 2), Score("b"), Score("c", 0, 1)]
    assert [(name, len(own)) for name, own in by_photograph(rows, all_faces=True)] == [("a", 2), ("b", 1), ("c", 1)]

    def endless():
        yield Score("a", 0, 3)
        raise AssertionError("the next row is not waited for")

    assert next(by_photograph(endless(), all_faces=False))[0] == "a"


def test_a_sheet_shows_what_was_scored(photos, model, tmp_path):
    run_score([photos], model, tmp_path / "scores.csv", preview=tmp_path / "sheet")
    page = (tmp_path / "sheet" / "index.html").read_text()
    assert page.count("data:image/jpeg") == 3, "the two faces, and the picture without one"
    assert "no face found" in page


def test_a_video_needs_best(tmp_path, model):
    (tmp_path / "clip.mp4").write_bytes(b"x")
    with pytest.raises(UserError, match="is a video: add --best N"):
        run_score([tmp_path / "clip.mp4"], model, tmp_path / "scores.csv")
