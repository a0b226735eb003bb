"""Portraits of a folder in the layout of GFIQA-20k, checked on the driver."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from synfiqa.cluster.storage.storage import Storage
from synfiqa.fiqa_train.training.dsl.portrait_data import folder_digest, portraits_of
from synfiqa.schemas.config.train_config import TrainSection
from synfiqa.schemas.errors import UserError
from tests.fiqa_train.training.dsl.portraits import blurred


def write(root, split, items):
    """Write portraits as a split of a set."""
    for name in ("img", "landmark"):
        (root / split / name).mkdir(parents=True)
    for item in items:
        Image.fromarray(item.image).save(root / split / "img" / f"{item.name}.png")
        np.save(root / split / "landmark" / f"{item.name}.npy", item.landmarks)
    label = {"Image": [f"{item.name}.png" for item in items], "MOS": [item.score for item in items]}
    (root / split / "label.json").write_text(json.dumps(label))


def section(folder):
    return TrainSection.model_validate(
        {"method": "dsl_fiqa", "network": "dsl-compact", "initialise": "random", "dsl": {"folder": str(folder)}}
    )


def opened(folder, crop=64):
    return portraits_of(section(folder), crop, Storage(str(folder)), "default", {})


@pytest.fixture
def folder(tmp_path):
    write(tmp_path, "train", blurred(5))
    write(tmp_path, "val", blurred(3))
    return tmp_path


def test_both_splits_are_found_with_their_identities_and_size(folder):
    found = opened(folder)
    assert (found.rows, found.side) == (5, 80)
    assert found.identities == {"train": 5, "validation": 3, "test": 0}
    assert found.data.unlabelled is None
    kept = found.data.train.open()
    assert sorted(kept.scores) == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])


def test_what_cannot_be_trained_on_is_named_with_its_file(folder, tmp_path):
    with pytest.raises(UserError, match=r"p0.png has 80 x 80 pixels, less than the crop of 128"):
        opened(folder, 128)
    np.save(folder / "val" / "landmark" / "p1.npy", np.full((68, 2), 300.0))
    with pytest.raises(UserError, match=r"p1.npy has landmark 0 at \(300.0, 300.0\), outside its image"):
        opened(folder)


def test_equal_scores_are_refused(tmp_path):
    write(tmp_path, "train", [replace(item, score=3.0) for item in blurred(4)])
    write(tmp_path, "val", blurred(3))
    with pytest.raises(UserError, match="all 4 scores are 3"):
        opened(tmp_path)


def test_a_missing_entry_of_the_score_file_is_named(folder):
    path = folder / "train" / "label.json"
    label = json.loads(path.read_text())
    path.write_text(json.dumps({key: values[1:] for key, values in label.items()}))
    with pytest.raises(UserError, match=r"has no score of p0.png"):
        opened(folder)


def test_a_changed_score_is_another_digest(folder):
    before = folder_digest(str(folder))
    assert folder_digest(str(folder)) == before
    path = folder / "train" / "label.json"
    path.write_text(path.read_text().replace("0.8", "0.7"))
    assert folder_digest(str(folder)) != before
