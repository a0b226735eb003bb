"""Faces of photographs (`profile: camera`): taken, found by the detector of the run, aligned by what it found."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from synfiqa.actors.degradation.camera.photograph import Photograph, eye_distance, photographed
from synfiqa.actors.degradation.plugin_factors import apply_plugins
from synfiqa.actors.imaging.alignment import align_smoothly, similarity_transform, transform_points
from synfiqa.actors.roles import Detection, Detector, SizedDetector
from synfiqa.schemas.recipe import Recipe

SEARCH_EYES = 24.0
"""e in pixels at which a face is searched for: it then fills the 48 pixels that the last network of MTCNN sees."""

_ALONE, _IN_COMPANY = 2.2, 3.0  # half the side of the searched square around the face, e
_SMALLEST, _LARGEST = 1.4, 4.0  # widths of a face in e between which it is searched for, usual is 2.3
_LEAST_FACE = 20.0  # pixels, below which MTCNN finds none
_SAME_FACE = 1.0  # farthest that the middle of found landmarks may be from the true one, e


@dataclass(frozen=True, eq=False)
class PhotographedFace:
    """An aligned face of a photograph, uint8 RGB (112, 112, 3), and the true landmarks (5, 2) in it.

    `detected` is false where the detector did not find it: it is then aligned by the true landmarks. `turned` is the
    angle in degrees by which the crop is turned against that alignment, > 0 clockwise.
    """

    image: np.ndarray
    landmarks: np.ndarray
    detected: bool
    turned: float


@dataclass(frozen=True, eq=False)
class _Window:
    """A searched square with e in its pixels; x' lies at corner + (x' + 0.5) * pixel - 0.5 of the photograph."""

    image: np.ndarray
    corner: np.ndarray
    pixel: np.ndarray
    eyes: float

    def outside(self, points: np.ndarray) -> np.ndarray:
        return self.corner + (points + 0.5) * self.pixel - 0.5


def photographed_faces(
    portraits: Sequence[np.ndarray], landmarks: Sequence[np.ndarray], recipes: Sequence[Recipe], detector: Detector
) -> list[PhotographedFace]:
    """Photograph clean portraits (S, S, 3) with true landmarks (5, 2) by their recipes, and align what is detected."""
    shots = [photographed(*each) for each in zip(portraits, landmarks, recipes, strict=True)]
    windows = [
        search_window(shot.image, shot.landmarks, _IN_COMPANY if recipe.shot and recipe.shot.second_face else _ALONE)
        for shot, recipe in zip(shots, recipes, strict=True)
    ]
    found = _searched(windows, detector)
    return [
        _aligned(shot, _nearest(shot, window, faces), recipe)
        for shot, window, faces, recipe in zip(shots, windows, found, recipes, strict=True)
    ]


def _searched(windows: Sequence[_Window], detector: Detector) -> list[list[Detection]]:
    """Return the faces in the windows, at the sizes that they can have where the detector may be limited to them."""
    if not isinstance(detector, SizedDetector):
        return detector.faces([window.image for window in windows])
    found = []
    for window in windows:
        least, most = max(_LEAST_FACE, _SMALLEST * window.eyes), _LARGEST * window.eyes
        found.append(detector.faces_of_size([window.image], least, most)[0] if least < most else [])
    return found


def search_window(image: np.ndarray, landmarks: np.ndarray, reach: float = _ALONE) -> _Window:
    """Cut the square of a photograph where its face can be, `reach` e around the middle of the landmarks.

    It is shrunk so that e is at most `SEARCH_EYES` pixels. What lies outside of the photograph repeats its border:
    MTCNN puts landmarks of a face at the frame up to a tenth of the face off.
    """
    e, middle = eye_distance(landmarks), landmarks.mean(axis=0)
    half = max(reach * e, 10.0)
    low, high = np.floor(middle - half).astype(int), np.ceil(middle + half).astype(int)
    height, width = image.shape[:2]
    limit = np.array([width, height])
    first, last = np.clip(low, 0, limit - 1), np.clip(high, 1, limit)
    part = image[first[1] : last[1], first[0] : last[0]]
    left, top = first - low
    right, bottom = high - last
    if max(left, top, right, bottom) > 0:
        part = cv2.copyMakeBorder(part, int(top), int(bottom), int(left), int(right), cv2.BORDER_REPLICATE)
    side = np.array(part.shape[1::-1])
    shrink = SEARCH_EYES / e
    if shrink >= 1:
        return _Window(np.ascontiguousarray(part), low.astype(float), np.ones(2), e)
    size = np.maximum(np.rint(side * shrink), 20).astype(int)
    small = cv2.resize(part, (int(size[0]), int(size[1])), interpolation=cv2.INTER_AREA)
    return _Window(np.asarray(small), low.astype(float), side / size, SEARCH_EYES)


def _nearest(shot: Photograph, window: _Window, faces: Sequence[Detection]) -> np.ndarray | None:
    """Return the landmarks of the found face that is the photograph's own, in its pixels; None where none is."""
    middle, limit = shot.landmarks.mean(axis=0), _SAME_FACE * eye_distance(shot.landmarks)
    found = [window.outside(np.asarray(face.landmarks, np.float64)) for face in faces]
    near = [points for points in found if np.hypot(*(points.mean(axis=0) - middle)) <= limit and _usable(points)]
    return min(near, key=lambda points: float(np.hypot(*(points.mean(axis=0) - middle)))) if near else None


def _usable(points: np.ndarray) -> bool:
    """Whether landmarks (5, 2) determine an alignment."""
    try:
        similarity_transform(points[None])
    except ValueError:
        return False
    return True


def _aligned(shot: Photograph, found: np.ndarray | None, recipe: Recipe) -> PhotographedFace:
    used = shot.landmarks if found is None else found
    image = align_smoothly(shot.image, used)
    matrix = similarity_transform(used[None])
    points = transform_points(shot.landmarks[None], matrix)[0]
    turn = 0.0 if found is None else _angle(matrix[0]) - _angle(similarity_transform(shot.landmarks[None])[0])
    image = apply_plugins(image, recipe) if recipe.plugins else image
    return PhotographedFace(image, points, found is not None, float((turn + 180) % 360 - 180))


def _angle(matrix: np.ndarray) -> float:
    """Return the rotation of a similarity (2, 3) in degrees, > 0 clockwise, as y runs down."""
    return float(np.degrees(np.arctan2(matrix[1, 0], matrix[0, 0])))
