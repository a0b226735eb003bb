"""Crops at test time cover a portrait, or lie at random places that only its size decides."""

import numpy as np
import pytest

from synfiqa.actors.quality.trained.portraits.portrait_crops import PUBLISHED, crops_of, random_places, tiled_places


@pytest.mark.parametrize(("height", "width", "count"), [(64, 64, 1), (65, 64, 2), (128, 100, 4), (129, 64, 3)])
def test_tiles_are_few_and_cover_every_pixel(height, width, count):
    places = tiled_places(height, width, 64)
    seen = np.zeros((height, width), bool)
    for top, left in places:
        assert 0 <= top <= height - 64
        assert 0 <= left <= width - 64
        seen[top : top + 64, left : left + 64] = True
    assert seen.all()
    assert len(places) == count


def test_random_places_are_those_of_the_size():
    places = random_places(80, 100, 64, PUBLISHED)
    assert len(places) == 20
    assert len(set(places)) > 10
    assert places == random_places(80, 100, 64, PUBLISHED)
    assert places != random_places(81, 100, 64, PUBLISHED)
    assert max(top for top, _ in places) <= 16
    assert random_places(64, 64, 64, 3) == [(0, 0)] * 3


def test_landmarks_move_with_their_crop_and_small_portraits_are_refused():
    image = np.arange(80 * 80 * 3, dtype=np.uint32).reshape(80, 80, 3).astype(np.uint8)
    crops, points = crops_of(image, np.full((68, 2), 40.0), 64)
    assert len(crops) == 4
    assert np.array_equal(crops[3], image[16:, 16:])
    assert points[3][0].tolist() == [24, 24]
    with pytest.raises(ValueError, match="at least 96 x 96 pixels, not 80 x 80"):
        crops_of(image, np.zeros((68, 2)), 96)
