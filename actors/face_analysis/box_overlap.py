"""Overlap of boxes of faces."""

import numpy as np


def box_overlap(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Return intersection over union (N,) of one box (4,) x0, y0, x1, y1 with others (N, 4); 0 for empty ones."""
    low, high = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:], boxes[:, 2:])
    shared = np.maximum(0, high - low).prod(axis=1)
    area, areas = (box[2:] - box[:2]).prod(), (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    found: np.ndarray = shared / np.maximum(area + areas - shared, np.finfo(float).tiny)
    return found
