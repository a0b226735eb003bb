"""Folders of identities as a source, with labels from a CSV."""

import numpy as np
import pytest

from synfiqa.fiqa_train.training.reading.sources.image_folder import PIECE_ROWS, ImageFolder
from synfiqa.schemas.errors import UserError
from tests.fiqa_train.small_photos import picture, save
from tests.fiqa_train.training.reading.fake_source import reader


@pytest.fixture
def folder(tmp_path):
    for person, count in (("ann", 3), ("bob", 2), ("cy", 1)):
        for number in range(count):
            save(tmp_path / "faces" / person / f"{number}.png", 10 * count + number)
    return tmp_path / "faces"


def test_subfolders_are_the_identities(folder):
    source = ImageFolder.of("casia", str(folder))
    assert source.identities == {"ann": 3, "bob": 2, "cy": 1}
    (batch,) = reader([source], channels="rgb", batch_size=6).batches(0)
    assert sorted(batch.classes.tolist()) == [0, 0, 0, 1, 1, 2]
    assert batch.quality.isnan().all()
    (row,) = (batch.classes == 2).nonzero()
    np.testing.assert_array_equal(batch.images[int(row)].numpy(), picture(10).transpose(2, 0, 1))


def test_a_csv_gives_the_labels_and_leaves_others_without(folder, tmp_path):
    scores = tmp_path / "scores.csv"
    scores.write_text("path,score\n/data/faces/ann/0.png,0.5\nbob/1.png,0.25\nelse/9.png,1\n")
    source = ImageFolder.of("casia", str(folder), scores=str(scores))
    rows = source.read(source.pieces[0])
    found = dict(zip(rows.names, rows.quality.tolist(), strict=True))
    assert found["ann/0.png"] == 0.5
    assert found["bob/1.png"] == 0.25
    assert np.isnan(found["cy/0.png"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,score\nann/0.png,0.5\nfaces/ann/0.png,0.6\n", "different scores for ann/0.png"),
        ("path,score\nzoe/0.png,0.5\n", "scores none of its images, such as ann/0.png, but zoe/0.png"),
        ("path,score\nann/0.png,high\n", "line 2: the score 'high' is no finite number"),
    ],
)
def test_a_csv_that_does_not_fit_is_refused(folder, tmp_path, text, message):
    (tmp_path / "scores.csv").write_text(text)
    with pytest.raises(UserError, match=message):
        ImageFolder.of("casia", str(folder), scores=str(tmp_path / "scores.csv"))


def test_a_piece_has_images_from_all_over_the_folder(tmp_path):
    for person in range(4):
        for number in range(PIECE_ROWS // 2):
            path = tmp_path / str(person) / f"{number}.png"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(b"")
    source = ImageFolder.of("casia", str(tmp_path))
    assert [piece.rows for piece in source.pieces] == [PIECE_ROWS, PIECE_ROWS]
    for piece in source.pieces:
        assert set(source.read(piece).identity) == {"0", "1", "2", "3"}


def test_an_image_of_another_size_is_named(folder):
    save(folder / "bob" / "7.png", 1, size=128)
    with pytest.raises(UserError, match=r"bob/7\.png has 128 x 128 pixels, not 112 x 112: align it first"):
        list(reader([ImageFolder.of("casia", str(folder))], batch_size=7).batches(0))


def test_a_folder_without_images_or_people_is_refused(folder, tmp_path):
    with pytest.raises(UserError, match="holds no image"):
        ImageFolder.of("casia", str(tmp_path / "none"))
    save(folder / "stray.png", 1)
    with pytest.raises(UserError, match=r"stray\.png does not lie in the folder of a person"):
        ImageFolder.of("casia", str(folder))


def test_an_image_that_vanishes_is_named(folder):
    source = ImageFolder.of("casia", str(folder))
    (folder / "cy" / "0.png").unlink()
    with pytest.raises(UserError, match="an image is gone"):
        list(reader([source], batch_size=6).batches(0))
