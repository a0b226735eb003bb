"""Cuts the portrait of a face out of a photograph, framed as rendered portraits are, with 68 landmarks from five."""

import cv2
import numpy as np

from synfiqa.actors.imaging.alignment import ARCFACE_SIZE, ARCFACE_TEMPLATE, similarity_transform

FRAME = 205.0
"""Side of a portrait in pixels of the aligned 112 x 112 crop, about the same centre: that of rendered portraits, and
nearly the face box enlarged by 80 % that the published preparation of photographs takes."""

_OFFSET = (FRAME - ARCFACE_SIZE) / 2

MEAN_POINTS = np.array(
    [
        *((16.4, 51.2), (17.0, 63.9), (19.4, 76.3), (24.8, 87.5), (30.0, 97.0), (33.3, 101.0), (37.5, 105.9)),
        *((44.6, 111.9), (56.3, 114.1), (68.0, 111.7), (75.1, 105.6), (79.3, 100.7), (82.4, 96.7), (87.5, 87.1)),
        *((92.8, 75.9), (95.0, 63.4), (95.4, 50.7), (25.5, 39.5), (31.0, 38.1), (36.6, 37.6), (42.4, 38.2)),
        *((48.2, 39.6), (63.5, 39.5), (69.3, 38.1), (75.1, 37.4), (80.7, 37.8), (86.2, 39.1), (55.9, 49.1)),
        *((56.1, 58.3), (56.2, 67.6), (55.9, 77.1), (48.1, 81.1), (52.0, 82.7), (56.1, 83.3), (60.3, 82.7)),
        *((64.1, 81.0), (29.5, 50.9), (34.2, 47.7), (40.7, 47.7), (45.7, 51.0), (40.8, 53.3), (34.3, 53.2)),
        *((66.2, 51.1), (71.1, 47.7), (77.6, 47.6), (82.4, 50.7), (77.6, 53.1), (71.1, 53.3), (43.0, 90.4)),
        *((48.2, 89.0), (53.2, 88.4), (56.2, 89.1), (59.1, 88.4), (64.2, 88.9), (69.4, 90.2), (64.9, 94.9)),
        *((60.2, 96.4), (56.2, 96.6), (52.2, 96.5), (47.6, 95.0), (44.5, 90.8), (51.5, 92.2), (56.2, 92.1)),
        *((60.9, 92.2), (67.8, 90.7), (60.9, 92.5), (56.2, 92.4), (51.5, 92.6)),
    ]
)
"""(68, 2) points of the iBUG mark-up in the aligned 112 x 112 crop: the mean of 24 frontal procedural heads."""


def framed_points(side: int) -> np.ndarray:
    """Return the mean 68 points float32 (68, 2) in a portrait of `side` pixels."""
    return ((MEAN_POINTS + _OFFSET) * (side / FRAME)).astype(np.float32)


def cut_portrait(image: np.ndarray, landmarks: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the portrait uint8 (side, side, 3) of a face and its 68 points (68, 2), from five landmarks (5, 2).

    The eye line becomes level and the face as large as in rendered portraits. Faces of more than twice the resolution
    are averaged down first; beyond the photograph its border is repeated. ValueError for landmarks that determine no
    face.
    """
    matrix = similarity_transform(np.asarray(landmarks)[None], (ARCFACE_TEMPLATE + _OFFSET) * (side / FRAME))[0]
    factor = min(int(1 / np.hypot(*matrix[:, 0])), *image.shape[:2])
    if factor >= 2:
        height, width = (size // factor for size in image.shape[:2])
        image = cv2.resize(image[: height * factor, : width * factor], (width, height), interpolation=cv2.INTER_AREA)
        # Centres of the blocks lie at factor * i + (factor - 1) / 2.
        shift = matrix[:, :2] @ np.full(2, (factor - 1) / 2)
        matrix = np.column_stack([matrix[:, :2] * factor, matrix[:, 2] + shift])
    portrait = cv2.warpAffine(
        np.ascontiguousarray(image), matrix, (side, side), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(portrait), framed_points(side)
