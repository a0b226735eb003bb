"""Five-point similarity alignment to the ArcFace 112 x 112 template. Pixel centres lie at integer coordinates."""

from collections.abc import Sequence

import cv2
import numpy as np

ARCFACE_SIZE = 112
"""Side in pixels of every aligned face."""

ARCFACE_TEMPLATE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)
"""(5, 2) x, y in pixels where the landmarks of an aligned 112 x 112 face lie (ArcFace)."""

ARCFACE_TEMPLATE.setflags(write=False)


def similarity_transform(landmarks: np.ndarray, template: np.ndarray = ARCFACE_TEMPLATE) -> np.ndarray:
    """Return float64 (N, 2, 3) matrices that map landmarks (N, K, 2) onto the template (K, 2) in least squares.

    Rotation, uniform scale and translation, never a reflection: Umeyama 1991 for the plane, where it has a closed
    form over complex numbers. Raises ValueError when points are not finite, coincide or determine no rotation.
    """
    points = np.asarray(landmarks, dtype=np.float64)
    if points.ndim != 3 or points.shape[1:] != template.shape:
        raise ValueError(f"landmarks must have shape (N, {len(template)}, 2), not {points.shape}")
    if not np.isfinite(points).all():
        raise ValueError("landmarks must be finite numbers")
    source = points[..., 0] + 1j * points[..., 1]
    target = template[:, 0] + 1j * template[:, 1]
    source_mean, target_mean = source.mean(axis=1), target.mean()
    source, target = source - source_mean[:, None], target - target_mean
    spread = (np.abs(source) ** 2).sum(axis=1)
    extent = np.abs(points).max(axis=(1, 2), initial=1.0)
    if (spread <= (1e-9 * extent) ** 2).any():
        raise ValueError("landmarks of a face coincide, so they determine no alignment")
    factor = (source.conj() * target).sum(axis=1) / spread
    if (np.abs(factor) ** 2 * spread <= 1e-12 * (np.abs(target) ** 2).sum()).any():
        raise ValueError("landmarks of a face determine no rotation")
    shift = target_mean - factor * source_mean
    rows = [factor.real, -factor.imag, shift.real, factor.imag, factor.real, shift.imag]
    return np.stack(rows, axis=1).reshape(-1, 2, 3)


def transform_points(points: np.ndarray, matrices: np.ndarray) -> np.ndarray:
    """Apply affine matrices (N, 2, 3) to points (N, K, 2), giving (N, K, 2)."""
    return points @ matrices[:, :, :2].transpose(0, 2, 1) + matrices[:, None, :, 2]


def warp(images: Sequence[np.ndarray] | np.ndarray, matrices: np.ndarray, size: int = ARCFACE_SIZE) -> np.ndarray:
    """Warp uint8 RGB images (of any sizes) to (N, size, size, 3): bilinear, black outside the source."""
    warped = np.zeros((len(images), size, size, 3), dtype=np.uint8)
    for out, image, matrix in zip(warped, images, matrices, strict=True):
        out[...] = cv2.warpAffine(
            np.ascontiguousarray(image), matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT
        )
    return warped


def align(images: Sequence[np.ndarray] | np.ndarray, landmarks: np.ndarray, antialias: bool = False) -> np.ndarray:
    """Align uint8 RGB images by landmarks (N, 5, 2) to uint8 (N, 112, 112, 3).

    The published crops are plain bilinear. `antialias` first averages a face of more than twice the output
    resolution down, which keeps large photographs free of aliasing that would look like noise.
    """
    matrices = similarity_transform(landmarks)
    if not antialias:
        return warp(images, matrices)
    reduced = [_reduce(image, matrix) for image, matrix in zip(images, matrices, strict=True)]
    return warp([image for image, _ in reduced], np.array([matrix for _, matrix in reduced]).reshape(-1, 2, 3))


def _reduce(image: np.ndarray, matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    height, width = image.shape[:2]
    factor = min(int(1 / np.hypot(*matrix[:, 0])), height, width)
    if factor < 2:
        return image, matrix
    # Whole blocks only, so that the block centres lie at exactly factor * i + (factor - 1) / 2.
    whole = image[: height // factor * factor, : width // factor * factor]
    small = cv2.resize(whole, (width // factor, height // factor), interpolation=cv2.INTER_AREA)
    centre = np.full(2, (factor - 1) / 2)
    return small, np.column_stack([matrix[:, :2] * factor, matrix[:, :2] @ centre + matrix[:, 2]])
