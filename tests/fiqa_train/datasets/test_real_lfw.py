"""The reader of LFW on the real LFW, development half alone; SYNFIQA_LFW names its folder."""

import os
from pathlib import Path

import numpy as np
import pytest

from synfiqa.fiqa_train.datasets.pairs_folder import development_half, open_lfw, parse_pairs

LFW = os.environ.get("SYNFIQA_LFW", "")
pytestmark = pytest.mark.skipif(not LFW, reason="SYNFIQA_LFW does not name a folder with LFW")
BATCHES = 6
"""Batches of photographs that are aligned; all of them would take minutes."""


def test_pairs_of_the_development_half():
    pairs = parse_pairs((Path(LFW) / "pairs.txt").read_bytes(), Path(LFW) / "pairs.txt")
    assert len(pairs) == 6000
    assert sum(pair.first[0] == pair.second[0] for pair in pairs) == 3000
    found = open_lfw("lfw", Path(LFW), development_half)
    people = {name.rpartition("_")[0] for name in found.ids}
    assert all(map(development_half, people))
    assert len(people) > 1000
    genuine = int(found.pairs.genuine.sum())
    assert 1200 < genuine < 1800, "half of the people have half of the genuine pairs"
    assert 500 < len(found.pairs.genuine) - genuine < 1000, "and a quarter of the impostor pairs"
    np.testing.assert_array_equal(
        found.pairs.genuine, found.identity[found.pairs.first] == found.identity[found.pairs.second]
    )


def test_faces_are_aligned_to_the_template():
    found = open_lfw("lfw", Path(LFW), development_half)
    images, reasons = [], []
    for crops, _ in zip(found.crops(), range(BATCHES), strict=False):
        images.append(crops.images)
        reasons += crops.reasons
    assert sum(not reason for reason in reasons) >= 0.95 * len(reasons)
    mean = np.concatenate(images).mean(axis=(0, 3))
    eyes = mean[48:56, 34:43].mean(), mean[48:56, 69:78].mean()
    cheeks = mean[66:76, 30:40].mean(), mean[66:76, 72:82].mean()
    assert max(eyes) < min(cheeks) - 10, "eyes lie where the template has them: darker than the cheeks"
