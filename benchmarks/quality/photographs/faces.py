"""Aligned faces of photographs as they are, or with faults, and what the detector said of each."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.quality.photographs.development import Photo
from benchmarks.quality.photographs.faults import spoilt
from synfiqa.actors.face_analysis.mtcnn import MtcnnDetector
from synfiqa.actors.imaging.alignment import align_smoothly
from synfiqa.actors.imaging.codec import load_photo
from synfiqa.actors.roles import Detection
from synfiqa.fiqa_train.labels.centred.cosines import centred
from synfiqa.schemas.seeds import derive_seed, generator

_AT_ONCE = 16


@dataclass(frozen=True)
class Faces:
    """N aligned faces uint8 RGB (N, 112, 112, 3), the person and photograph of each, the detector's probability.

    `without_face` counts photographs in which none was found.
    """

    images: np.ndarray
    person: np.ndarray
    photograph: np.ndarray
    probability: np.ndarray
    without_face: int


def faces_of(photos: Sequence[Photo], seed: int | None = None) -> Faces:
    """Return the faces of photographs; with a seed each photograph has 0 to 2 random faults before detection.

    A photograph in which no face is found is left out and counted.
    """
    detector, images, people, names, probabilities = MtcnnDetector(), [], [], [], []
    for start in range(0, len(photos), _AT_ONCE):
        part = photos[start : start + _AT_ONCE]
        pixels = [load_photo(photo.path) for photo in part]
        found = detector.detect(pixels)
        if seed is not None:
            pixels = [
                picture
                if face is None
                else spoilt(picture, face.landmarks, generator(derive_seed(seed, photo.path.name)))
                for photo, picture, face in zip(part, pixels, found, strict=True)
            ]
            found = detector.detect(pixels)
        for photo, picture, face in zip(part, pixels, found, strict=True):
            crop = crop_of(picture, face)
            if face is None or crop is None:
                continue
            images.append(crop)
            people.append(photo.person)
            names.append(photo.path.name)
            probabilities.append(face.probability)
    without = len(photos) - len(images)
    return Faces(np.stack(images), np.array(people), np.array(names), np.array(probabilities), without)


def likeness(vectors: np.ndarray, faces: Faces, clean_vectors: np.ndarray, clean: Faces) -> np.ndarray:
    """Return the mean cosine (N,) of faces to the person's other clean photographs, NaN without one.

    Vectors (N, D) and (M, D) are those of a judge; the mean of the clean ones is subtracted from both.
    """
    centre = clean_vectors.mean(axis=0, dtype=np.float64)
    cosines = centred(vectors, centre) @ centred(clean_vectors, centre).T
    others = faces.person[:, None] == clean.person[None]
    others &= faces.photograph[:, None] != clean.photograph[None]
    count = others.sum(axis=1)
    return np.divide((cosines * others).sum(axis=1), count, out=np.full(len(vectors), np.nan), where=count > 0)


def crop_of(picture: np.ndarray, face: Detection | None) -> np.ndarray | None:
    """Return the aligned face, uint8 RGB (112, 112, 3), of a picture; None without a face that can be aligned."""
    if face is None:
        return None
    try:
        return align_smoothly(picture, face.landmarks)
    except ValueError:
        return None
