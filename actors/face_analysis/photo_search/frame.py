"""Faces at the frame: found again on a picture whose border pixels are repeated.

Where a square around a face leaves the picture, MTCNN takes the part inside and stretches it: landmarks are then off
by a tenth of the face at a probability of 0.999.
"""

import cv2
import numpy as np

from synfiqa.actors.face_analysis.box_overlap import box_overlap
from synfiqa.actors.face_analysis.photo_search.cascade import Cascade, FoundFaces
from synfiqa.actors.face_analysis.photo_search.proposals import SearchedPicture

_MARGIN = 0.5
"""Width of the repeated border in sides of the largest square that leaves the picture."""
_SIZES = 0.5, 2.0
"""Faces searched for again, in sides of the smallest and the largest such square."""
_SAME = 0.3
"""Least intersection over union of two boxes of one face."""


def completed_at_frame(cascade: Cascade, image: np.ndarray, faces: FoundFaces, min_face: float) -> FoundFaces:
    """Return the faces, those at the frame as found with a repeated border; all others keep their bits.

    A face that is not found again keeps what was found first.
    """
    height, width = image.shape[:2]
    corners = np.trunc(faces.seen)
    at_frame = np.nonzero((corners < 1).any(axis=1) | (corners[:, 2:] > [width, height]).any(axis=1))[0]
    if not len(at_frame):
        return faces
    sides = faces.seen[at_frame, 2] - faces.seen[at_frame, 0]
    margin = int(np.ceil(_MARGIN * sides.max()))
    wide = cv2.copyMakeBorder(image, margin, margin, margin, margin, cv2.BORDER_REPLICATE)
    again = cascade.search(SearchedPicture(wide), max(min_face, _SIZES[0] * sides.min()), _SIZES[1] * sides.max())
    again = FoundFaces(again.probability, again.boxes - margin, again.landmarks - margin, again.seen - margin)
    found = FoundFaces(faces.probability.copy(), faces.boxes.copy(), faces.landmarks.copy(), faces.seen.copy())
    free = np.ones(len(again), dtype=bool)
    for row in at_frame:
        overlap = np.where(free, box_overlap(faces.boxes[row], again.boxes), 0)
        best = int(np.argmax(overlap)) if len(again) else -1
        if best < 0 or overlap[best] < _SAME:
            continue
        free[best] = False
        found.probability[row], found.boxes[row] = again.probability[best], again.boxes[best]
        found.landmarks[row], found.seen[row] = again.landmarks[best], again.seen[best]
    return found
