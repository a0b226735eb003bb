"""LFW and XQLFW: the list of pairs, its photographs, and every line that cannot be right."""

import numpy as np
import pytest

import synfiqa.fiqa_train.datasets.photo_files as photos
from synfiqa.fiqa_train.datasets.formats import open_test_sets
from synfiqa.fiqa_train.datasets.pairs_folder import development_half, open_lfw, parse_pairs
from synfiqa.fiqa_train.datasets.testset import ALIGNED, DETECTED
from synfiqa.schemas.errors import UserError
from tests.fiqa_train.small_photos import WholePicture, picture, read_all, save

LIST = "2\t2\nAnn_Lee\t1\t2\nBo\t1\t3\nAnn_Lee\t1\tBo\t2\nBo\t3\tCy\t1\n"


@pytest.fixture(autouse=True)
def detector(monkeypatch):
    monkeypatch.setattr(photos, "new_detector", WholePicture)


def folder(root, size=250, suffix="jpg", below=""):
    for seed, (name, number) in enumerate([("Ann_Lee", 1), ("Ann_Lee", 2), ("Bo", 1), ("Bo", 2), ("Bo", 3), ("Cy", 1)]):
        save(root / below / name / f"{name}_{number:04d}.{suffix}", seed, size)
    return root


def test_lfw_pairs_name_identities_and_photographs(tmp_path):
    (folder(tmp_path) / "pairs.txt").write_text(LIST)
    (found,) = open_test_sets([f"lfw={tmp_path}"])
    assert found.format == "folder with pairs.txt"
    assert found.ids == ("Ann_Lee_0001", "Ann_Lee_0002", "Bo_0001", "Bo_0003", "Bo_0002", "Cy_0001")
    assert found.crops_from == DETECTED
    same = found.identity[:, None] == found.identity[None]
    assert [len(row[row]) for row in same] == [2, 2, 3, 3, 3, 1]
    pairs = list(zip(found.pairs.first, found.pairs.second, found.pairs.genuine, strict=True))
    assert pairs == [(0, 1, True), (2, 3, True), (0, 4, False), (3, 5, False)]
    images, reasons = read_all(found)
    assert reasons == [""] * 6
    assert np.abs(images[3].astype(int) - picture(4)).mean() < 6, "Bo_0003, aligned from 250 pixels"


def test_xqlfw_crops_are_taken_as_they_are_from_a_folder_inside(tmp_path):
    folder(tmp_path, 112, "png", below="xqlfw_aligned_112")
    (tmp_path / "xqlfw_pairs.txt").write_text("10 300\nAnn_Lee 1 2\nAnn_Lee 1 Cy 1\n")
    (found,) = open_test_sets([f"xqlfw={tmp_path}"])
    assert found.crops_from == ALIGNED
    assert found.ids == ("Ann_Lee_0001", "Ann_Lee_0002", "Cy_0001")
    images, _ = read_all(found)
    np.testing.assert_array_equal(images[2], picture(5))


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("Ann_Lee\t1\n", "line 2 of .* is no pair"),
        ("Ann_Lee\t1\tx\n", "is no pair"),
        ("Ann_Lee\t1\tBo\t2\t3\n", "is no pair"),
        ("../Ann_Lee\t1\t2\n", "can be no folder"),
        ("Ann_Lee\t1\t..\t2\n", "can be no folder"),
    ],
)
def test_lines_that_are_no_pairs_are_refused_by_number(tmp_path, line, told):
    with pytest.raises(UserError, match=told):
        parse_pairs(("10\t300\n" + line).encode(), tmp_path / "pairs.txt")


@pytest.mark.parametrize("line", ["Ann_Lee\t1\t9\n", "Ann_Lee\t1\tNobody\t1\n"])
def test_pairs_of_unknown_images_are_refused_by_line_and_image(tmp_path, line):
    (folder(tmp_path) / "pairs.txt").write_text(LIST + line)
    with pytest.raises(UserError, match=r"line 6 of .*pairs\.txt names (Ann_Lee_0009|Nobody_0001), and .* no such"):
        open_test_sets([f"lfw={tmp_path}"])


def test_two_files_of_one_photograph_are_refused(tmp_path):
    (folder(tmp_path) / "pairs.txt").write_text(LIST)
    save(tmp_path / "Bo" / "Bo_0001.png", 9, 250)
    with pytest.raises(UserError, match=r"Bo_0001\.jpg and .*Bo_0001\.png have one id"):
        open_test_sets([f"lfw={tmp_path}"])


def test_an_empty_list_is_refused(tmp_path):
    (folder(tmp_path) / "pairs.txt").write_text("10\t300\n")
    with pytest.raises(UserError, match="lists no pair"):
        open_test_sets([f"lfw={tmp_path}"])


def test_the_development_half_opens_nobody_else(tmp_path):
    assert [name for name in ("Ann_Lee", "Bo", "Cy", "Dee", "Eve") if development_half(name)] == ["Bo", "Cy"]
    folder(tmp_path)
    (tmp_path / "pairs.txt").write_text(LIST)
    closed = [name for name in ("Ann_Lee", "Bo", "Cy") if not development_half(name)]
    for name in closed:
        for file in (tmp_path / name).iterdir():
            file.write_bytes(b"nobody may read this")
    found = open_lfw("lfw", tmp_path, development_half)
    read_all(found)
    assert {name.rpartition("_")[0] for name in found.ids}.isdisjoint(closed)


def test_the_digest_is_of_names_contents_and_list(tmp_path):
    (folder(tmp_path) / "pairs.txt").write_text(LIST)
    first = open_lfw("lfw", tmp_path).sha256
    assert open_lfw("other", tmp_path).sha256 == first
    save(tmp_path / "Bo" / "Bo_0001.jpg", 77, 250)
    second = open_lfw("lfw", tmp_path).sha256
    (tmp_path / "pairs.txt").write_text(LIST + "Bo\t1\t2\n")
    assert len({first, second, open_lfw("lfw", tmp_path).sha256}) == 3
