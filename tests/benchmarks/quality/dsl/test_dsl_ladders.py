"""Ladders of faults on photographs: rising strengths, compared with scores face by face."""

import numpy as np
import pytest
from skimage.data import astronaut

from benchmarks.quality.dsl.ladders import LADDERS, LEVELS, falls, ladder
from synfiqa.actors.quality.guard import GuardedScorer
from tests.actors.model_store.cards import card

PHOTO = astronaut()[20:180, 140:300].copy()


class Likeness:
    """Scores the likeness to the photograph."""

    takes_portraits = True
    card = card(higher_is_better=True)

    def score(self, images):
        raise AssertionError

    def score_portraits(self, images, landmarks):
        raise AssertionError

    def score_faces(self, photographs, landmarks):
        return np.array([-np.abs(image.astype(float) - PHOTO).mean() for image in photographs])


@pytest.mark.parametrize("kind", LADDERS)
def test_each_level_is_further_from_the_photograph(kind):
    images = ladder(PHOTO, kind, 3)
    assert len(images) == LEVELS + 1
    assert (images[0] == PHOTO).all()
    assert falls(GuardedScorer("likeness", Likeness()), (PHOTO, np.zeros((5, 2))), kind, 3) == pytest.approx(-1)
