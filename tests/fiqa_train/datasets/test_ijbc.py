"""IJB-C: templates, media and pairs from its three lists, images aligned by its landmarks."""

import numpy as np
import pytest

from synfiqa.actors.imaging.alignment import align_smoothly
from synfiqa.fiqa_train.datasets.formats import open_test_sets
from synfiqa.schemas.errors import UserError
from tests.fiqa_train.small_photos import TEMPLATE, picture, read_all, save

MEDIA = "1.jpg 10 5\n2.jpg 10 5\n3.jpg 10 6\n1.jpg 20 5\n4.jpg 30 9\n"
PAIRS = "10 20 1\n10 30 0\n30 20 0\n"


@pytest.fixture
def ijbc(tmp_path):
    meta = tmp_path / "meta"
    meta.mkdir()
    for number in range(1, 5):
        save(tmp_path / "loose_crop" / f"{number}.jpg", number, 160)
    (meta / "ijbc_face_tid_mid.txt").write_text(MEDIA)
    (meta / "ijbc_template_pair_label.txt").write_text(PAIRS)
    coordinates = " ".join(f"{value * 160 / 112:.3f}" for value in TEMPLATE.ravel())
    (meta / "ijbc_name_5pts_score.txt").write_text("".join(f"{n}.jpg {coordinates} 0.99\n" for n in range(1, 5)))
    return tmp_path


def test_templates_media_and_pairs(ijbc):
    (found,) = open_test_sets([f"ijbc={ijbc}"])
    assert found.format == "IJB-C"
    assert found.ids == ("1.jpg", "2.jpg", "3.jpg", "4.jpg")
    assert found.units == 3
    assert found.templates.names == ("10", "20", "30")
    assert found.templates.image.tolist() == [0, 1, 2, 0, 3]
    assert found.templates.template.tolist() == [0, 0, 0, 1, 2]
    assert found.templates.media.tolist() == [5, 5, 6, 5, 9]
    pairs = list(zip(found.pairs.first, found.pairs.second, found.pairs.genuine, strict=True))
    assert pairs == [(0, 1, True), (0, 2, False), (1, 2, False)]


def test_images_are_aligned_by_the_listed_points(ijbc):
    from synfiqa.actors.imaging.codec import load_photo

    images, reasons = read_all(open_test_sets([f"ijbc={ijbc}"])[0])
    assert reasons == [""] * 4
    points = np.round(TEMPLATE * 160 / 112, 3)
    np.testing.assert_array_equal(images[1], align_smoothly(load_photo(ijbc / "loose_crop" / "2.jpg"), points))
    assert np.abs(images[1].astype(int) - picture(2)).mean() < 12


@pytest.mark.parametrize(
    ("file", "content", "told"),
    [
        ("ijbc_template_pair_label.txt", PAIRS + "10 77 1\n", "pairs template 77, which has no image"),
        ("ijbc_template_pair_label.txt", PAIRS + "10 20 2\n", "a label other than 0 and 1"),
        ("ijbc_template_pair_label.txt", "10 20\n", "a field is empty"),
        ("ijbc_template_pair_label.txt", "10 a 1\n", "other than numbers"),
        ("ijbc_face_tid_mid.txt", MEDIA + "8.jpg 30 9\n", r"names 8\.jpg, which has no landmarks"),
        ("ijbc_name_5pts_score.txt", "1.jpg 1 2 3 4 5 6 7 8 9 10 0.9\n" * 2, r"two lines for 1\.jpg"),
    ],
)
def test_lists_that_do_not_fit_together_are_refused(ijbc, file, content, told):
    (ijbc / "meta" / file).write_text(content)
    with pytest.raises(UserError, match=told):
        open_test_sets([f"ijbc={ijbc}"])


def test_an_absent_image_is_named(ijbc):
    (ijbc / "loose_crop" / "3.jpg").unlink()
    with pytest.raises(UserError, match=r"names 3\.jpg, and .*loose_crop has no such image"):
        open_test_sets([f"ijbc={ijbc}"])
