"""Bars of a trained model on a real portrait: scikit-image's astronaut, detected and aligned once, degraded in steps.

The face is turned in the plane by cropping it from the photograph at an angle, so that no border is filled in.
"""

from collections.abc import Iterator

import numpy as np
from skimage.data import astronaut

from benchmarks.quality.face_bars.arithmetic import rank_correlation
from benchmarks.quality.face_bars.bar import Bar, medians
from benchmarks.quality.face_bars.ladders import crop_changes
from benchmarks.quality.face_bars.ladders.factors import Change
from benchmarks.quality.face_bars.settings import Settings
from synfiqa.actors.face_analysis.mtcnn import MtcnnDetector
from synfiqa.actors.imaging.alignment import ARCFACE_SIZE, align_smoothly, similarity_transform
from synfiqa.actors.quality.trained.quality_model import QualityModel
from synfiqa.fiqa_train.training.checkpoints import load_quality_model, model_folder
from synfiqa.schemas.errors import JobFailed
from synfiqa.schemas.model_card import BUNDLED_QUALITY

SUBJECT = "photograph"
ANGLES = tuple(90 * step / 7 for step in range(8))
LADDERS: dict[str, tuple[Change, tuple[float, ...]]] = {
    "blur": (crop_changes.blurred, (0, 0.7, 1.2, 1.8, 2.5, 3.5, 4.5, 6)),
    "resolution": (crop_changes.shrunk, (112, 64, 48, 36, 28, 20, 14, 10)),
    "noise": (crop_changes.noisy, (0, 8, 15, 24, 34, 45, 57, 70)),
    "lower-face occlusion": (crop_changes.covered_from_below, (0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)),
    "darkening by gain": (crop_changes.brightened, (1, 0.65, 0.42, 0.28, 0.18, 0.11, 0.07, 0.04)),
    "darkening by gamma": (crop_changes.with_gamma, (1, 1.3, 1.7, 2.2, 2.9, 3.7, 4.8, 6)),
}
"""Degradation and eight levels of each ladder, the first being clean."""


def portrait() -> tuple[np.ndarray, np.ndarray]:
    """Return the photograph uint8 RGB (512, 512, 3) and the detected landmarks (5, 2) of the face."""
    photo = astronaut()
    (face,) = MtcnnDetector().detect([photo])
    if face is None:
        raise JobFailed("the detector finds no face in scikit-image's astronaut; reinstall facenet-pytorch")
    return photo, face.landmarks


def ladders() -> Iterator[tuple[str, np.ndarray]]:
    """Yield each ladder's name and its eight aligned crops, uint8 RGB (8, 112, 112, 3), clean first."""
    photo, landmarks = portrait()
    clean = align_smoothly(photo, landmarks)
    for name, (change, levels) in LADDERS.items():
        rest = [change(clean, level, 0) for level in levels[1:]]
        yield name, np.stack([clean, *rest])
    turned = np.stack([rotated(landmarks, angle) for angle in ANGLES])
    yield "in-plane rotation", np.stack([align_smoothly(photo, points) for points in turned])
    yield "sunglasses", np.stack([clean, crop_changes.with_sunglasses(clean)])


def rotated(landmarks: np.ndarray, degrees: float) -> np.ndarray:
    """Return the landmarks (5, 2) turned about the centre of their crop, which turns the crop aligned by them."""
    matrix = similarity_transform(landmarks[None])[0]
    middle = np.full(2, (ARCFACE_SIZE - 1) / 2)
    centre = np.linalg.solve(matrix[:, :2], middle - matrix[:, 2])
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return (landmarks - centre) @ turn + centre


def measure(settings: Settings) -> list[Bar]:
    """Measure Spearman's correlation of the score with the step of each ladder: bundled model, or medians over runs."""
    degraded = dict(ladders())
    sources = [f"{run.rstrip('/')}/{model_folder(settings.label)}" for run in settings.runs] or [BUNDLED_QUALITY]
    models = [load_quality_model(source) for source in sources]
    return medians([bars_of(model, degraded) for model in models])


def bars_of(model: QualityModel, degraded: dict[str, np.ndarray]) -> list[Bar]:
    """Return the bars of one model."""
    bars = []
    for name, crops in degraded.items():
        scores = model.score(crops)
        note = " ".join(f"{score:.3f}" for score in scores)
        if name == "sunglasses":
            bars.append(Bar(SUBJECT, "sunglasses: change of the score", float(scores[1] - scores[0]), -1e-3, note=note))
            continue
        limit = -0.8 if name == "in-plane rotation" else -0.9
        bars.append(Bar(SUBJECT, f"{name}: Spearman with the step", rank_correlation(scores), limit, note=note))
    return bars
