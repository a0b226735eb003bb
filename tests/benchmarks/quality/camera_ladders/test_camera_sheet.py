"""Photographs along ladders and their sheets: what is made of whom, the same in each run."""

import numpy as np
import pytest

from benchmarks.quality.camera_ladders import camera_sheet
from benchmarks.quality.camera_ladders.rungs import rungs_of
from benchmarks.quality.camera_ladders.strips import BELOW, MARGIN, SIDE, Strip, sheet
from synfiqa.actors.face3d import HeadRenderer
from synfiqa.schemas.factors.photograph_ladders import PHOTOGRAPH_LADDERS

CHOSEN = [pair for pair in PHOTOGRAPH_LADDERS if pair[1].name in ("cut at a side", "turned picture")]


class Blind:
    """A detector that finds no face."""

    def faces(self, images):
        return [[] for _ in images]


@pytest.fixture(scope="module")
def rungs():
    return rungs_of(0, 3, HeadRenderer(), Blind(), references=1, ladders=CHOSEN)


def test_a_factor_of_the_camera_needs_no_other_portrait(rungs):
    cut, turned = rungs.steps[:5], rungs.steps[5:]
    assert len(turned) == 5
    assert all(np.array_equal(rung.portrait, rungs.clean.portrait) for rung in cut)
    assert not any(np.array_equal(rung.portrait, rungs.clean.portrait) for rung in turned)
    assert not any(np.array_equal(rung.face, rungs.clean.face) for rung in cut)
    assert not any(rung.detected for rung in rungs.steps)


def test_the_photograph_without_faults_has_none(rungs):
    shot = rungs.clean.recipe.shot
    assert (shot.head, shot.noise, shot.quality, shot.eyes) == (1, 0, 100, 60)
    assert rungs.clean.recipe.pose.yaw == 0
    assert rungs.references[0].recipe.kind == "reference"


def test_a_sheet_has_a_strip_for_each_ladder_and_whole_pictures_where_they_matter(monkeypatch):
    monkeypatch.setattr(camera_sheet, "LADDERS", CHOSEN)
    first, again = (camera_sheet.camera_sheet(0, Blind(), people=(3,)) for _ in range(2))
    assert first.shape == (4 * (SIDE + BELOW), MARGIN + 6 * (SIDE + 2), 3)
    np.testing.assert_array_equal(first, again)
    whole = first[:SIDE, MARGIN : MARGIN + 6 * (SIDE + 2)]
    missing = [(whole[:, start : start + SIDE] == 255).all(axis=(0, 2)).sum() for start in range(0, 684, SIDE + 2)]
    assert missing == sorted(missing)
    assert missing[0] < 5 < 20 < missing[-1]


def test_every_ladder_of_the_camera_is_on_the_sheet():
    assert [*camera_sheet.LADDERS] == [pair for pair in PHOTOGRAPH_LADDERS if pair[0].field != "occluder"]


def test_texts_stand_below_images_and_titles_before_them():
    black = np.zeros((SIDE, SIDE, 3), np.uint8)
    plain = sheet([Strip("", "", [black], [""])])
    written = sheet([Strip("A title", "and a remark that is longer than a line", [black], ["0.5"])])
    assert (written[:SIDE, MARGIN : MARGIN + SIDE] == 0).all()
    assert (plain[SIDE:] == 255).all()
    assert (written[SIDE:] < 255).any()
    assert (written[:, :MARGIN] < 255).any()
