"""Intersection over union of boxes: whole, half, none and empty ones."""

import numpy as np
import pytest

from synfiqa.actors.face_analysis.box_overlap import box_overlap


def test_overlap_is_shared_area_over_that_of_both():
    box = np.array([0.0, 0.0, 10.0, 10.0])
    others = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [10, 0, 20, 10], [3, 3, 3, 3], [12, 12, 20, 20]], float)
    assert box_overlap(box, others) == pytest.approx([1, 1 / 3, 0, 0, 0])
    assert box_overlap(np.zeros(4), np.zeros((1, 4))) == pytest.approx([0])
