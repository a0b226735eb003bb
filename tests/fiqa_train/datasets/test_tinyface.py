"""TinyFace: the lists name images and people, probes are compared with the gallery."""

import numpy as np
import pytest
from scipy.io import savemat

import synfiqa.fiqa_train.datasets.photo_files as photos
from synfiqa.fiqa_train.datasets.formats import open_test_sets
from synfiqa.schemas.errors import UserError
from tests.fiqa_train.small_photos import WholePicture, read_all, save


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    monkeypatch.setattr(photos, "new_detector", WholePicture)
    root = tmp_path / "Testing_Set"
    listed(root, "gallery_match", "gallery", "Gallery_Match", [("1_1.jpg", 1), ("2_1.jpg", 2)])
    listed(root, "probe", "probe", "Probe", [("1_2.jpg", 1), ("2_2.jpg", 2), ("2_3.jpg", 2)])
    save(root / "Gallery_Distractor" / "9_1.jpg", 50, 30)
    return tmp_path


def listed(root, file, part, folder, images):
    for seed, (name, _) in enumerate(images):
        save(root / folder / name, seed, 40)
    names = np.array([[name] for name, _ in images], dtype=object)
    numbers = np.array([[number] for _, number in images])
    savemat(root / f"{file}_img_ID_pairs.mat", {f"{part}_set": names, f"{part}_ids": numbers})


def test_probes_and_gallery_with_their_people_and_no_distractor(tiny):
    (found,) = open_test_sets([f"tiny={tiny}"])
    assert found.format == "TinyFace"
    assert found.ids[:3] == ("Gallery_Match/1_1.jpg", "Gallery_Match/2_1.jpg", "Probe/1_2.jpg")
    assert found.identity.tolist() == [1, 2, 1, 2, 2]
    assert found.is_reference.tolist() == [True, True, False, False, False]
    assert read_all(found)[1] == [""] * 5
    assert open_test_sets([f"inner={tiny / 'Testing_Set'}"])[0].sha256 == found.sha256


def test_a_listed_image_that_is_absent_is_named(tiny):
    (tiny / "Testing_Set" / "Probe" / "2_3.jpg").unlink()
    with pytest.raises(UserError, match=r"names 2_3\.jpg, and .*Probe has no such image"):
        open_test_sets([f"tiny={tiny}"])


def test_damaged_lists_are_refused(tiny):
    file = tiny / "Testing_Set" / "probe_img_ID_pairs.mat"
    savemat(file, {"probe_set": np.array([["1_2.jpg"], ["2_2.jpg"]], dtype=object), "probe_ids": np.array([[1]])})
    with pytest.raises(UserError, match="lists 2 images and 1 identities"):
        open_test_sets([f"tiny={tiny}"])
    file.write_bytes(b"no list")
    with pytest.raises(UserError, match="is no list of TinyFace"):
        open_test_sets([f"tiny={tiny}"])
