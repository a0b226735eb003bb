"""Searches photographs of any size for faces, at the sizes that each of them needs."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from synfiqa.actors.face_analysis.mtcnn import MIN_SIDE, enlarged, shrunk
from synfiqa.actors.face_analysis.photo_search.cascade import Cascade
from synfiqa.actors.face_analysis.photo_search.frame import completed_at_frame
from synfiqa.actors.face_analysis.photo_search.proposals import CELL, STEP, SearchedPicture
from synfiqa.actors.roles import Detection
from synfiqa.schemas.errors import UserError

SEARCH_SIZE = 640
"""Long side in pixels at which a photograph is searched first."""
LARGE_SIZE = 2560
"""Long side in pixels at which it is searched when nothing was found, or for all of its faces."""
SMALLEST = 20
"""Width in pixels of the smallest faces found, in the picture as it is searched."""
LARGE_SHARE = 11
"""Faces narrower than the long side over this are searched for only where there is no larger one, unless wanted."""
SURELY = 1.2
"""Widths of the smallest face searched for from which on finer scales do not change where a face is found."""
_SHIFT = 1.0
"""Pixels by which the cascade puts landmarks too far right and down: it counts from 1, and crops at whole pixels."""


@dataclass(frozen=True)
class Searched:
    """The faces of one photograph, largest first, in its pixels, and the long side at which they were found."""

    faces: list[Detection]
    size: int


class PhotoSearch:
    """`Detector` of photographs: MTCNN at sizes that depend on the picture, and again for faces at the frame.

    A picture is searched at 640 pixels (long side), and at 2,560 where nothing was found or `all_faces` are wanted.
    With `min_face` (pixels of the picture) it is searched at the one size at which such faces have 20 pixels, and
    narrower ones are left out; `size` sets the size itself. In all cases faces of 20 pixels are found, but those
    narrower than an eleventh of the long side only where there is no larger one, unless `thorough` or `all_faces`.
    Faces inside the frame are those of `MtcnnDetector` at that size; a result does not depend on other pictures.
    """

    def __init__(
        self,
        device: str = "cpu",
        all_faces: bool = False,
        min_face: int | None = None,
        size: int | None = None,
        thorough: bool = False,
    ) -> None:
        if min_face is not None and min_face < CELL:
            raise UserError(f"a smallest face of {min_face} pixels cannot be found: name at least {CELL}")
        if size is not None and size < MIN_SIDE:
            raise UserError(f"a search size of {size} pixels holds no face: name at least {MIN_SIDE}")
        self._cascade = Cascade(device)
        self._all_faces, self._min_face, self._size, self._thorough = all_faces, min_face, size, thorough

    def detect(self, images: Sequence[np.ndarray]) -> list[Detection | None]:
        """Return the largest face of each uint8 RGB (H, W, 3) image, or None when there is none."""
        return [found[0] if found else None for found in self.faces(images)]

    def faces(self, images: Sequence[np.ndarray]) -> list[list[Detection]]:
        """Return every face of each uint8 RGB (H, W, 3) image, the largest first."""
        return [self.search(image).faces for image in images]

    def search(self, image: np.ndarray, reduction: float = 1.0) -> Searched:
        """Find the faces of one uint8 RGB image (H, W, 3), in its pixels.

        A photograph that was decoded at a fraction of its size has `reduction` of its own pixels in one of the image.
        """
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise ValueError(f"a search takes uint8 RGB images of shape (H, W, 3), not {image.dtype} {image.shape}")
        found = Searched([], 0)
        min_face = None if self._min_face is None else self._min_face / reduction
        for size, smallest in self._sizes(max(image.shape[:2]), min_face):
            found = Searched(self._at(image, size, smallest, min_face), size)
            if found.faces:
                break
        return found

    def _sizes(self, side: int, min_face: float | None) -> Iterator[tuple[int, float]]:
        """Yield the long sides at which a picture is searched, and the widths there of the smallest faces."""
        first, large = min(side, SEARCH_SIZE), min(side, LARGE_SIZE)
        if self._size is not None or min_face is not None:
            wanted = self._size or max(SEARCH_SIZE, math.ceil(SMALLEST * side / (min_face or SMALLEST)))
            size = min(wanted, side if self._size else large)
            yield size, float(SMALLEST if min_face is None else max(CELL, min_face * size / side))
            return
        if not self._all_faces:
            yield first, SMALLEST
        if self._all_faces or large > first:
            yield large, SMALLEST

    def _at(self, image: np.ndarray, size: int, smallest: float, min_face: float | None) -> list[Detection]:
        """Return the faces found when the long side is shrunk to `size` pixels."""
        small = shrunk(image, size)
        if min(small.shape[:2]) < MIN_SIDE:
            return []
        picture, faces = SearchedPicture(small), None
        left_out = self._left_out(max(small.shape[:2]), smallest)
        if left_out:
            faces = self._cascade.search(picture, smallest, left_out=left_out)
            widths = faces.boxes[:, 2] - faces.boxes[:, 0]
            if widths.max(initial=0) < SURELY * smallest / STEP**left_out:
                faces = None
        if faces is None:
            faces = self._cascade.search(picture, smallest)
        faces = completed_at_frame(self._cascade, small, faces, smallest)
        area = (faces.boxes[:, 2:] - faces.boxes[:, :2]).prod(axis=1)
        found = [
            enlarged(
                Detection(
                    float(faces.probability[row]),
                    faces.boxes[row].astype(np.float64),
                    faces.landmarks[row].astype(np.float64) - _SHIFT,
                ),
                small.shape[:2],
                image.shape[:2],
            )
            for row in np.argsort(-area, kind="stable")
        ]
        return [face for face in found if min_face is None or face.box[2] - face.box[0] >= min_face]

    def _left_out(self, side: int, smallest: float) -> int:
        """Return how many of the finest scales are searched only where no larger face is found."""
        if self._thorough or self._all_faces or side <= LARGE_SHARE * smallest:
            return 0
        return int(math.log(side / LARGE_SHARE / smallest, 1 / STEP))
