"""Folders of people: any folder, and Adience by its file names."""

import pytest

import synfiqa.fiqa_train.datasets.photo_files as photos
from synfiqa.fiqa_train.datasets.formats import open_test_sets
from synfiqa.fiqa_train.datasets.identity_folder import open_identities
from synfiqa.schemas.errors import UserError
from tests.fiqa_train.small_photos import WholePicture, read_all, save


@pytest.fixture(autouse=True)
def detector(monkeypatch):
    monkeypatch.setattr(photos, "new_detector", WholePicture)


def people(root, size=112):
    for seed, name in enumerate(["ann/1.png", "ann/2.png", "bo/x.png", "bo/y.png", "bo/z.png"]):
        save(root / name, seed, size)
    return root


def test_each_folder_is_a_person(tmp_path):
    (people(tmp_path) / "notes.txt").write_text("no image")
    (tmp_path / "bo" / "notes.txt").write_text("no image")
    (found,) = open_test_sets([f"mine={tmp_path}"])
    assert found.ids == ("ann/1", "ann/2", "bo/x", "bo/y", "bo/z")
    assert found.identity.tolist() == [0, 0, 1, 1, 1]
    assert found.pairs is None
    assert read_all(found)[0].shape == (5, 112, 112, 3)


def test_an_empty_folder_and_a_single_person_are_refused(tmp_path):
    people(tmp_path)
    (tmp_path / "cy").mkdir()
    with pytest.raises(UserError, match=r"cy holds no image; complete or remove it"):
        open_test_sets([f"mine={tmp_path}"])
    with pytest.raises(UserError, match="all images show one identity"):
        open_identities("mine", tmp_path, lambda name: name == "ann")


def test_names_that_differ_by_their_ending_alone_are_refused(tmp_path):
    save(people(tmp_path) / "bo" / "x.jpg", 9)
    with pytest.raises(UserError, match="the image id bo/x is there twice"):
        open_test_sets([f"mine={tmp_path}"])


def test_people_of_adience_are_in_the_file_names(tmp_path):
    for seed, (account, person) in enumerate([("a", 7), ("a", 8), ("b", 7), ("b", 9)]):
        save(tmp_path / account / f"landmark_aligned_face.{person}.{seed}_o.jpg", seed, 200)
    (found,) = open_test_sets([f"adience={tmp_path}"])
    assert found.format == "Adience"
    assert found.identity.tolist() == [0, 1, 0, 2]
    save(tmp_path / "b" / "other.jpg", 5, 200)
    with pytest.raises(UserError, match=r"other\.jpg has no name of Adience"):
        open_test_sets([f"adience={tmp_path}"])
