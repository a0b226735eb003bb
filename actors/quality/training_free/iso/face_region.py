"""A stand-in for the face region of aligned crops: an ellipse and two cheek squares by the landmark template.

ISO/IEC 29794-5 takes both from 98 detected landmarks of a whole photograph. A crop aligned to the ArcFace template
has its face in a known place, so that the region is the same for every crop: approximate where a face is turned.
"""

from functools import cache

import numpy as np

from synfiqa.actors.imaging.alignment import ARCFACE_SIZE, ARCFACE_TEMPLATE

REGION = "ellipse of the aligned 112 x 112 crop"
"""Name of the stand-in, which cards state."""
_HALF_WIDTH, _HALF_HEIGHT = 0.95, 1.25
"""Half axes of the ellipse in distances between the eyes: from ear to ear, from the hairline to the chin."""
_CHEEK = 0.3
"""Side of a cheek square in distances between the eyes."""


@cache
def face_mask() -> np.ndarray:
    """Return bool (112, 112): pixels of the ellipse around the midpoint of eyes and mouth."""
    (left, right, _, mouth_left, mouth_right) = ARCFACE_TEMPLATE
    eyes = float(np.linalg.norm(right - left))
    x0, y0 = (left + right + mouth_left + mouth_right) / 4
    y, x = np.mgrid[:ARCFACE_SIZE, :ARCFACE_SIZE]
    mask: np.ndarray = ((x - x0) / (_HALF_WIDTH * eyes)) ** 2 + ((y - y0) / (_HALF_HEIGHT * eyes)) ** 2 <= 1
    mask.setflags(write=False)
    return mask


@cache
def cheek_mask() -> np.ndarray:
    """Return bool (112, 112): a square below each eye, half-way down to the mouth."""
    (left, right, _, mouth_left, mouth_right) = ARCFACE_TEMPLATE
    half = _CHEEK * float(np.linalg.norm(right - left)) / 2
    y, x = np.mgrid[:ARCFACE_SIZE, :ARCFACE_SIZE]
    mask = np.zeros((ARCFACE_SIZE, ARCFACE_SIZE), bool)
    for eye, corner in ((left, mouth_left), (right, mouth_right)):
        # Below the eye and not below the corner of the mouth, which lies nearer to the nose.
        x0, y0 = eye[0], (eye[1] + corner[1]) / 2
        mask |= (abs(x - x0) <= half) & (abs(y - y0) <= half)
    mask.setflags(write=False)
    return mask
