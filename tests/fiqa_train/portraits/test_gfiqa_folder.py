"""The layout of GFIQA-20k and CGFIQA-40k: read, and refused where a training would fail later."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image
from skimage.data import astronaut

from synfiqa.fiqa_train.portraits.gfiqa_folder import open_gfiqa
from synfiqa.fiqa_train.portraits.gfiqa_layout import split_of
from synfiqa.schemas.errors import UserError

NAMES = ("a.png", "b.jpg", "c.png")
SCORES = (0.25, 0.5, 3.0)
WIDTH, HEIGHT = 60, 48


def folder(root):
    split = root / "train"
    (split / "img").mkdir(parents=True)
    (split / "landmark").mkdir()
    for number, name in enumerate(NAMES):
        Image.fromarray(astronaut()[number : number + HEIGHT, 200 : 200 + WIDTH]).save(split / "img" / name)
        points = np.random.default_rng(number).uniform(0, HEIGHT - 1, (68, 2))
        np.save(split / "landmark" / f"{name[0]}.npy", points)
    write(split, NAMES[::-1], SCORES[::-1])
    return split


def write(split, names, scores):
    (split / "label.json").write_text(json.dumps({"Image": list(names), "MOS": list(scores)}))


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    root = tmp_path_factory.mktemp("gfiqa")
    folder(root)
    return root


@pytest.fixture
def own(published, tmp_path):
    shutil.copytree(published, tmp_path / "set")
    return tmp_path / "set" / "train"


def test_a_published_set_is_read_in_order_of_names(published):
    found = open_gfiqa(published, "train", crop=HEIGHT)
    assert len(found) == 3
    assert found.scores.tolist() == list(SCORES)
    assert found.groups == ["a", "b", "c"], "without identities each image is a group of its own"
    items = list(found)
    assert [item.name for item in items] == ["a", "b", "c"]
    assert items[0].image.shape == (HEIGHT, WIDTH, 3)
    assert (items[0].image == astronaut()[:HEIGHT, 200 : 200 + WIDTH]).all()
    points = np.load(published / "train" / "landmark" / "c.npy").astype(np.float32)
    assert (items[2].landmarks == points).all()
    assert items[2].landmarks.dtype == np.float32
    assert (items[2].score, dict(items[2].degradation)) == (3.0, {})
    assert [item.name for item in found[1:]] == ["b", "c"]


def remove_score(split):
    write(split, NAMES[:2], SCORES[:2])


def remove_image(split):
    (split / "img" / "c.png").unlink()


def shift(split):
    np.save(split / "landmark" / "b.npy", np.full((68, 2), 70.0))


def lose_point(split):
    np.save(split / "landmark" / "b.npy", np.full((68, 2), np.nan))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (remove_score, r"label.json has no score of c.png: add an entry to Image and MOS, or remove the image"),
        (remove_image, r"label.json names c.png, which .*img lacks: copy the image there"),
        (lambda s: write(s, NAMES, (2, 2, 2)), r"label.json: all 3 scores are 2, .*choose another score"),
        (lambda s: write(s, NAMES, (1, 2)), r"lists of one length, not of Image 3, MOS 2 entries"),
        (lambda s: write(s, NAMES, (1, 2, None)), r"gives c.png the score None: put a finite number"),
        (lambda s: write(s, NAMES, (1, 2, float("nan"))), r"gives c.png the score nan"),
        (lambda s: write(s, (*NAMES, "a.png"), (1, 2, 3, 4)), r"gives a.png two scores, 1 and 4: remove one"),
        (lambda s: (s / "label.json").write_text("[1"), r"label.json is no JSON"),
        (lambda s: (s / "label.json").write_text("[1]"), r"label.json must hold the lists Image, MOS"),
        (lambda s: (s / "label.json").unlink(), r"label.json cannot be read"),
        (shift, r"b.npy has landmark 0 at \(70.0, 70.0\), outside its image of 60 x 48 pixels: detect"),
        (lose_point, r"b.npy holds landmarks that are not finite"),
        (lambda s: np.save(s / "landmark" / "a.npy", np.zeros((5, 2))), r"a.npy holds an array of shape \(5, 2\)"),
        (lambda s: (s / "landmark" / "a.npy").write_bytes(b"x"), r"a.npy is no readable array"),
        (lambda s: (s / "landmark" / "a.npy").unlink(), r"a.npy is missing: detect the 68 landmarks"),
        (lambda s: (s / "img" / "a.png").write_bytes(b"x"), r"a.png is no readable image.*copy it again"),
        (lambda s: shutil.rmtree(s / "img"), r"img is no folder: a set has train/img"),
        (lambda s: (s / "degradation.json").write_text("{}"), r"degradation.json must hold the lists Image, Identity"),
    ],
)
def test_what_would_fail_later_is_named_with_its_file_and_the_remedy(own, change, message):
    change(own)
    with pytest.raises(UserError, match=message):
        open_gfiqa(own.parent, "train")


def test_images_smaller_than_the_crop_are_named(published):
    with pytest.raises(UserError, match=r"a.png has 60 x 48 pixels, less than the crop of 49: take a smaller crop"):
        open_gfiqa(published, "train", crop=49)


def test_another_split_names_those_that_are_there(published):
    with pytest.raises(UserError, match="it has train; name the folder above the splits"):
        open_gfiqa(published, "test")


def test_a_landmark_of_a_tight_crop_may_lie_a_little_outside(own):
    points = np.load(own / "landmark" / "a.npy")
    points[8] = (20, HEIGHT + 0.09 * WIDTH)
    np.save(own / "landmark" / "a.npy", points)
    assert len(open_gfiqa(own.parent, "train")) == 3


def test_of_ten_identities_eight_are_trained_on():
    assert [split_of(n) for n in (0, 7, 18, 109)] == ["train", "train", "val", "test"]
