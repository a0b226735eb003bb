"""The same photograph at another size: its crop, and so its score, hardly change."""

import cv2
import numpy as np
import pytest
from skimage.data import astronaut

from synfiqa.actors.imaging.alignment import align, align_smoothly
from synfiqa.fiqa_train.scoring.photo_list import Photo
from synfiqa.fiqa_train.scoring.photographs import score_photos
from synfiqa.fiqa_train.scoring.sources import open_scorer
from synfiqa.schemas.model_card import BUNDLED_QUALITY

SIDES = range(850, 951, 10)


@pytest.fixture(scope="module")
def pictures():
    """The astronaut at sides in pixels around those at which a face has twice the resolution of the crop."""
    return {side: cv2.resize(astronaut(), (side, side), interpolation=cv2.INTER_CUBIC) for side in SIDES}


@pytest.fixture(scope="module")
def rows(pictures):
    """The scored rows of all sizes, in their order."""
    photos = [Photo(str(side), picture.copy) for side, picture in pictures.items()]
    return list(score_photos(photos, {BUNDLED_QUALITY: open_scorer(BUNDLED_QUALITY)}))


def largest_step(values):
    return float(np.abs(np.diff(values)).max())


def test_no_score_jumps_with_the_size_of_the_picture(rows):
    """Whole factors of reduction let the score jump by .014 where the face passed twice the resolution of the crop."""
    assert largest_step([row.score for row in rows]) < 0.006


def test_no_crop_changes_its_mean_with_the_size_of_the_picture(pictures, rows):
    means = [align_smoothly(pictures[int(row.path)], row.landmarks).mean() for row in rows]
    assert largest_step(means) < 0.05
    jumps = [align([pictures[int(row.path)]], row.landmarks[None], antialias=True).mean() for row in rows]
    assert largest_step(jumps) > 0.05, "otherwise this shows nothing"
