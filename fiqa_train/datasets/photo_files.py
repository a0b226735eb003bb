"""Image files of a test set as aligned faces: crops of 112 x 112 as they are, photographs by detection."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from synfiqa.actors.face_analysis.mtcnn import MtcnnDetector
from synfiqa.actors.imaging.alignment import ARCFACE_SIZE, align_smoothly
from synfiqa.actors.imaging.codec import image_size, load_photo
from synfiqa.actors.roles import Detection, Detector
from synfiqa.fiqa_train.datasets.testset import ALIGNED, DETECTED, Crops
from synfiqa.schemas.errors import UserError

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".pgm", ".ppm"})
"""Endings of the image files of a set, lower case."""
NO_FACE = "no face found"
BATCH = 64
"""Aligned crops in memory at once."""
PHOTOS = 8
"""Photographs in memory at once."""

Source = Callable[[], Iterator[Crops]]


@dataclass(frozen=True)
class FileCrops:
    """Reads the faces of files, by `read`, in their order; a `SelectableCrops`."""

    files: Sequence[Path]
    read: Callable[[Sequence[Path]], Iterator[Crops]]

    def __call__(self) -> Iterator[Crops]:
        """Yield the faces, a batch at a time."""
        return self.read(self.files)

    def only(self, positions: np.ndarray) -> "FileCrops":
        """Return what reads the files at these positions."""
        return FileCrops([self.files[at] for at in positions], self.read)


def is_image(path: Path) -> bool:
    """Return whether a file has the ending of an image and is none of those that file managers hide."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def crops_of(files: Sequence[Path], name: str) -> tuple[Source, str]:
    """Return what reads the faces of the files in order, and where they come from (`TestSet.crops_from`).

    Files that are all 112 x 112 count as aligned, files of other sizes as photographs; UserError for a mixture and for
    a file that is no image.
    """
    crops: list[tuple[Path, tuple[int, int]]] = []
    photos: list[tuple[Path, tuple[int, int]]] = []
    for file in files:
        try:
            size = image_size(file)
        except ValueError as error:
            raise UserError(f"--on {name}: {error}; restore the file") from error
        (crops if size == (ARCFACE_SIZE, ARCFACE_SIZE) else photos).append((file, size))
    if crops and photos:
        (width, height), aligned = photos[0][1], crops[0][0]
        raise UserError(
            f"--on {name}: {aligned} is an aligned crop of 112 x 112 and {photos[0][0]} has {width} x {height} pixels; "
            "give a folder of crops alone, or of photographs alone"
        )
    if crops:
        return FileCrops(files, _aligned), ALIGNED
    return FileCrops(files, _detected), DETECTED


def files_digest(files: Sequence[Path], root: Path, *texts: bytes) -> str:
    """Return the SHA-256 (hex) over names below `root` and contents of the files, and over further texts."""
    whole = hashlib.sha256()
    for text in texts:
        whole.update(hashlib.sha256(text).digest())
    for file in files:
        with file.open("rb") as stream:
            content = hashlib.file_digest(stream, "sha256").digest()
        whole.update(file.relative_to(root).as_posix().encode("utf-8", "surrogateescape") + b"\0" + content)
    return whole.hexdigest()


def foremost_face(faces: Sequence[Detection], size: tuple[int, int]) -> Detection | None:
    """Return the largest and most central face of a picture of (height, width), as the alignment of LFW chooses it.

    That of the largest difference between its area and twice the squared distance of its centre from that of the
    picture: in 2.5 % of LFW the largest face alone is that of somebody in the background.
    """
    middle = np.array([size[1] - 1, size[0] - 1]) / 2

    def prominence(face: Detection) -> float:
        (x0, y0, x1, y1) = (float(value) for value in face.box)
        away = np.array([(x0 + x1) / 2, (y0 + y1) / 2]) - middle
        return (x1 - x0) * (y1 - y0) - 2 * float(away @ away)

    return max(faces, key=prominence, default=None)


def new_detector() -> Detector:
    """Return the detector of photographs, that of `synfiqa score`."""
    return MtcnnDetector()


def photo(path: Path) -> np.ndarray:
    """Read a photograph, uint8 RGB (H, W, 3); UserError for a damaged one."""
    try:
        return load_photo(path)
    except ValueError as error:
        raise UserError(f"{error}: restore the file of the test set") from error


def _aligned(files: Sequence[Path]) -> Iterator[Crops]:
    for start in range(0, len(files), BATCH):
        part = files[start : start + BATCH]
        yield Crops(np.stack([photo(file) for file in part]), ("",) * len(part))


def _detected(files: Sequence[Path]) -> Iterator[Crops]:
    detector = new_detector()
    for start in range(0, len(files), PHOTOS):
        pictures = [photo(file) for file in files[start : start + PHOTOS]]
        found = [
            foremost_face(faces, picture.shape[:2])
            for picture, faces in zip(pictures, detector.faces(pictures), strict=True)
        ]
        yield aligned_crops(pictures, [None if face is None else face.landmarks for face in found])


def aligned_crops(pictures: Sequence[np.ndarray], landmarks: Sequence[np.ndarray | None]) -> Crops:
    """Return the faces of pictures aligned by their landmarks (5, 2); a reason where that fails."""
    images = np.zeros((len(pictures), ARCFACE_SIZE, ARCFACE_SIZE, 3), np.uint8)
    reasons = []
    for image, picture, points in zip(images, pictures, landmarks, strict=True):
        reasons.append("" if points is not None else NO_FACE)
        if points is None:
            continue
        try:
            image[:] = align_smoothly(picture, points)
        except ValueError as error:
            reasons[-1] = str(error)
    return Crops(images, tuple(reasons), tuple(pictures), tuple(landmarks))
