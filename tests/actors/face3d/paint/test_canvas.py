"""Painting on the part of a canvas around a feature changes the bits that painting on all of it changes."""

import numpy as np
import pytest

from synfiqa.actors.face3d.paint.canvas import SIZE, canvas, upsample
from synfiqa.actors.face3d.shape.head import bump, neutral_grid
from synfiqa.actors.face3d.shape.identity import sample_identity


def blank():
    base = np.full((SIZE, SIZE, 3), (0.8, 0.6, 0.5), np.float32)
    return canvas(upsample(neutral_grid(sample_identity(1))), base, slice(0, SIZE), slice(30, 160))


@pytest.mark.parametrize("colour", [0.5, (0.6, 0.5, 0.4)])
def test_a_bump_painted_on_the_part_around_it_has_the_bits_of_one_painted_everywhere(colour):
    whole, parted = blank(), blank()
    for x, y, wide, high in ((0.3, 0.0, 0.05, 0.03), (-0.2, -0.7, 0.02, 0.02), (0.0, -0.4, 0.1, 0.06)):
        whole.shade(0.9 * bump(whole.x, whole.y, x, y, wide, high), colour)
        part = parted.near(x, y, 7 * wide, 7 * high)
        assert part.x.size < 0.5 * parted.x.size
        part.shade(0.9 * bump(part.x, part.y, x, y, wide, high), colour)
    np.testing.assert_array_equal(parted.skin, whole.skin)
    np.testing.assert_array_equal(parted.closed, whole.closed)
    assert not np.array_equal(whole.skin, blank().skin)


def test_shading_multiplies_both_skins_by_the_colour_where_the_mask_is_one():
    c = blank()
    c.shade(np.ones_like(c.x), (0.5, 1.0, 0.0))
    for layer in (c.skin, c.closed):
        np.testing.assert_allclose(layer[3, 4], (0.4, 0.6, 0.0), rtol=1e-6)


def test_a_part_that_no_texel_lies_in_is_empty_and_can_be_painted():
    part = blank().near(50.0, 50.0, 1.0, 1.0)
    part.shade(bump(part.x, part.y, 50, 50, 1, 1), 0.5)
    assert part.skin.shape == (0, 0, 3)


def test_what_is_painted_on_a_part_is_painted_on_the_canvas():
    c = blank()
    part = c.near(0.0, -0.3, 0.2, 0.2)
    part.lid[:], part.gloss[:], part.eye[:] = 0.25, 0.75, 3.0
    assert (c.lid == 0.25).sum() == (c.gloss == 0.75).sum() == (c.eye[1] == 3).sum() == part.x.size > 0
